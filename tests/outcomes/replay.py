"""Incidents of a simulated service whose requests end as real ones did (`sources.py`). Only what rolls out when, and what is
innocent, is simulated; and where nobody wrote down how long an answer took, that, by its length alone.

    replay.py alpaca_eval RESULTS OUT INCIDENTS [FIRST]    writes OUT/SEED.jsonl (OTLP JSON lines) and OUT/SEED.json (the truth)
    replay.py bfcl FOLDER OUT INCIDENTS [FIRST]
    replay.py score OUT FREEZEFRAME                        asks `freezeframe explain` and prints the table
"""

import bisect, collections, itertools, json, math, pathlib, random, subprocess, sys

import sources

BEFORE = {"model": "model_route", "silent": "model_route", "route": "model_route"}
AFTER = {"class": "traffic_mix", "feature": "traffic_mix", "nothing": None}
HOUR = 3_600
START = 1_780_000_000
WINDOWS = ["2026-05-28T20:26:40Z/2026-05-28T21:26:40Z", "2026-05-28T21:26:40Z/2026-05-28T21:36:40Z"]
REGIONS, TIERS, LANGUAGES = ("eu", "us", "apac"), ("free", "pro"), ("en", "de", "fr")


def shares(chance, count, weight=4.0):
    drawn = [chance.gammavariate(weight, 1) for _ in range(count)]
    return [it / sum(drawn) for it in drawn]


def pick(chance, cumulated):
    return min(bisect.bisect(cumulated, chance.random() * cumulated[-1]), len(cumulated) - 1)


class Service:
    def __init__(self, outcomes, chance, cause):
        self.outcomes, self.chance, self.cause = outcomes, chance, cause
        count = chance.randint(2, 5)
        models = outcomes.judged_twice if cause == "judge" else outcomes.models
        self.base = [chance.choice(models) for _ in range(count)]
        self.new = [chance.choice(outcomes.models) for _ in range(count)]
        if cause in ("prompt", "tools"):
            pairs = [chance.choice(outcomes.variants) for _ in range(count)]
            order = chance.choice(((0, 1), (1, 0)))
            self.base, self.new = ([pair[at] for pair in pairs] for at in order)
        self.alternative = [chance.choice(models) for _ in range(count)]
        self.routed = [chance.uniform(0.05, 0.3)] * 2
        self.mixes = [[shares(chance, len(outcomes.classes)) for _ in range(count)]] * 2
        self.features = [shares(chance, count)] * 2
        self.only = chance.randrange(count) if chance.random() < 0.5 else None
        self.share = chance.choice((0.1, 0.3, 0.5, 1.0, 1.0))
        if cause == "route":
            self.routed[1] = min(0.95, self.routed[0] + chance.uniform(0.3, 0.6))
        if cause == "class":
            grown = chance.randrange(len(outcomes.classes))
            self.mixes[1:] = [[self.grown(mix, grown) for mix in self.mixes[0]]]
        if cause == "feature":
            self.features[1:] = [self.grown(self.features[0], chance.randrange(count))]
        self.innocent = [self.rollout(count) for _ in range(sum(chance.random() < 0.5 for _ in range(3)))]

    @staticmethod
    def grown(mix, at):
        return [0.4 * it + (0.6 if index == at else 0) for index, it in enumerate(mix)]

    def rollout(self, count):
        chance = self.chance
        of = chance.randrange(count) if chance.random() < 0.5 else None
        return chance.choice(("prompt", "index", "tool", "judge", "version")), of, chance.choice((0.1, 0.5, 1.0, 1.0)), chance.random() < 0.65

    def request(self, now, at):
        """One request; `at` is 0 to 1 within the baseline (`now` 0) or the incident (1)."""
        chance, cause = self.chance, self.cause
        feature = pick(chance, list(itertools.accumulate(self.features[now])))
        of_class = self.outcomes.classes[pick(chance, list(itertools.accumulate(self.mixes[now][feature])))]
        is_routed = chance.random() < self.routed[now]
        model = (self.alternative if is_routed else self.base)[feature]
        hit = now == 1 and chance.random() < self.share and self.only in (None, feature)
        replaced = hit and cause in ("model", "silent", "prompt", "tools") and not is_routed
        served = self.new[feature] if replaced else model
        outcome = self.outcomes.draw(chance, hit and cause == "judge", served, of_class)
        said = {"prompt": "v2" if replaced and cause == "prompt" else "v1", "index": "i1",
                "tool": "t2" if replaced and cause == "tools" else "t1",
                "judge": "j2" if hit and cause == "judge" else "j1", "version": "b1"}
        for what, of, share, is_coincident in self.innocent:
            began = now == 1 or (not is_coincident and at > 0.8)
            if began and of in (None, feature) and chance.random() < share:
                said[what] += "n"
        named = served if cause == "model" else model
        return None if outcome is None else (at, feature, of_class, named, "alt" if is_routed else "primary", said, outcome)

    def window(self, now, requests):
        made = (self.request(now, at) for at in sorted(self.chance.random() for _ in range(requests)))
        return [it for it in made if it]


def incident(outcomes, seed):
    """The first draw whose failures rise by 1.2 points and three deviations of chance, or a draw of nothing; None after 60."""
    causes = {**BEFORE, **outcomes.causes, **AFTER}
    cause = list(causes)[seed % len(causes)]
    chance = random.Random(seed)
    for _ in range(60):
        service = Service(outcomes, chance, cause)
        sizes = [int(math.exp(chance.uniform(math.log(a), math.log(b)))) for a, b in ((3_000, 12_000), (500, 6_000))]
        expected = [service.window(now, 1_500) for now in (0, 1)]
        rate = lambda window: sum(it[-1].fails for it in window) / max(1, len(window))
        if cause != "nothing" and rate(expected[1]) - rate(expected[0]) < 0.03:
            continue
        before, now = (service.window(at, size) for at, size in enumerate(sizes))
        change, rest = rate(now) - rate(before), rate(before) * (1 - rate(before))
        z = change / math.sqrt(rest * (1 / len(before) + 1 / len(now)))
        if cause == "nothing" or (z > 3 and change > 0.012):
            return {"cause": cause, "variable": causes[cause]}, (before, now)
    return None


def write(path, windows, seed):
    chance = random.Random(seed)
    text = lambda key, value: {"key": key, "value": {"stringValue": value}}
    with path.open("w") as out:
        for window, begin, length in zip(windows, (START, START + HOUR), (HOUR, 600)):
            for at, feature, of_class, model, route, said, outcome in window:
                nanos = int((begin + at * (length - 1)) * 1e9)
                seconds = outcome.seconds or outcome.tokens * chance.lognormvariate(math.log(0.02), 0.3)
                verdict = [text("gen_ai.evaluation.name", "win"), text("gen_ai.evaluation.evaluator.config.hash", said["judge"]),
                           text("gen_ai.evaluation.score.label", "fail" if outcome.fails else "pass")]
                attributes = {
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.workflow.name": f"feature-{feature}",
                    "gen_ai.request.model": model, "gen_ai.response.model": f"{model}@{said['version']}",
                    "gen_ai.routing.slice": route, "gen_ai.prompt.version": f"feature-{feature}-{said['prompt']}",
                    "gen_ai.data_source.version": said["index"], "gen_ai.tool.version": said["tool"],
                    "gen_ai.request.class": of_class, "cloud.region": chance.choice(REGIONS),
                    "user.tier": chance.choice(TIERS), "user.language": chance.choice(LANGUAGES)}
                span = {"traceId": f"{chance.getrandbits(128):032x}", "spanId": f"{chance.getrandbits(64):016x}", "name": "chat",
                        "kind": 3, "startTimeUnixNano": str(nanos - int(seconds * 1e9)), "endTimeUnixNano": str(nanos),
                        "attributes": [text(key, value) for key, value in attributes.items()]
                                      + [{"key": "gen_ai.usage.output_tokens", "value": {"intValue": str(outcome.tokens)}}],
                        "events": [{"name": "gen_ai.evaluation.result", "timeUnixNano": str(nanos), "attributes": verdict}]}
                out.write(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")


def score(folder, freezeframe):
    rows = collections.defaultdict(collections.Counter)
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        truth = json.loads(path.with_suffix(".json").read_text())
        cause, truth = truth["cause"], truth["variable"]
        asked = [freezeframe, "explain", str(path), "--baseline", WINDOWS[0], "--incident", WINDOWS[1], "--format", "json"]
        verdict = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)["verdict"]
        answer = verdict["answer"]
        best = max(verdict["shares"], key=verdict["shares"].get) if answer != "no_significant_change" else None
        for name in (cause, "all" if truth else None):
            if name:
                rows[name] += collections.Counter(incidents=1, first=best == truth, one=answer == "one",
                                                  right=answer == "one" and verdict["variables"][0] == truth)
    print("| cause | incidents | top-1 variable | answered with one name | precision of those |\n|---|---|---|---|---|")
    for name, it in rows.items():
        precision = f"{it['right'] / it['one']:.3f}" if it["one"] else "-"
        print(f"| {name} | {it['incidents']} | {it['first'] / it['incidents']:.3f} | {it['one'] / it['incidents']:.3f} | {precision} |")


def main():
    if sys.argv[1] == "score":
        return score(*sys.argv[2:])
    outcomes, out = getattr(sources, sys.argv[1])(sys.argv[2]), pathlib.Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    for seed in range(first, first + int(sys.argv[4])):
        found = incident(outcomes, seed)
        if found:
            write(out / f"{seed:04}.jsonl", found[1], seed)
            (out / f"{seed:04}.json").write_text(json.dumps(found[0]))


main()
