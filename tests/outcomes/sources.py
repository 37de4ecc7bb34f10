"""Where outcomes come from: what real models answered, and how that ended."""

import collections, json, pathlib, re


class Outcome(collections.namedtuple("Outcome", "fails tokens seconds")):
    """Whether an answer failed, its output tokens, and how long it took; `None` where nobody wrote that down."""


class Source:
    """Outcomes by judge, model and task; tasks by class."""

    def __init__(self, judges):
        self.judges, self.outcomes, self.classes_of = judges, {judge: {} for judge in judges}, collections.defaultdict(set)

    def add(self, judge, model, known, classes):
        self.outcomes[judge][model] = known
        for task, of_class in classes.items():
            self.classes_of[of_class].add(task)

    def finish(self, worst, variants):
        self.tasks = {name: sorted(self.classes_of[name]) for name in sorted(self.classes_of)}
        self.classes = list(self.tasks)
        rate = lambda known: sum(it.fails for it in known.values()) / len(known)
        self.models = [model for model, known in sorted(self.outcomes[self.judges[0]].items()) if rate(known) < worst]
        self.judged_twice = sorted(set(self.outcomes[self.judges[0]]) & set(self.outcomes[self.judges[-1]]))
        self.variants = variants(sorted(self.outcomes[self.judges[0]]))

    def draw(self, chance, judge, model, of_class):
        for _ in range(6):
            found = self.outcomes[self.judges[judge]][model].get(chance.choice(self.tasks[of_class]))
            if found is not None:
                return found
        return None


def alpaca_eval(results):
    """Preferences of AlpacaEval (github.com/tatsu-lab/alpaca_eval, folder `results`): lost against the reference, as a judge saw
    it. Nobody wrote down tokens: a quarter of the characters."""
    source = Source(["weighted_alpaca_eval_gpt4_turbo", "alpaca_eval_gpt4"])
    for path in sorted(pathlib.Path(results).glob("*/*/annotations.json")):
        model, judge = path.parts[-3], path.parts[-2]
        try:
            annotations = json.loads(path.read_text())
        except ValueError:  # stored elsewhere
            continue
        told = [it for it in annotations if it.get("preference") is not None]
        known = {it["instruction"]: Outcome(it["preference"] <= 1.5, 1 + len(it["output_2"]) // 4, None) for it in told}
        if judge in source.judges and len(known) > 600:
            source.add(judge, model, known, {it["instruction"]: it["dataset"] for it in told})
    source.finish(0.85, lambda names: [(it, it + end) for it in names for end in ("_verbose", "_concise") if it + end in names])
    source.causes = {"prompt": "prompt_revision", "judge": "judge"}
    return source


def bfcl(folder):
    """Results of the Berkeley Function Calling Leaderboard (github.com/HuanzhiMao/BFCL-Result, folder `2024-08-11`): whether the
    right function was called. Of models whose tokens and time were written down."""
    source = Source(["checker"])
    for results in sorted(pathlib.Path(folder, "result").iterdir()):
        known, classes = {}, {}
        for path in sorted(results.glob("*_result.json")):
            of_class = re.sub("^.*_test_|_result.json$", "", path.name)
            scores = pathlib.Path(folder, "score", results.name, f"{of_class}_score.json")
            lines = [json.loads(line) for line in scores.read_text().splitlines()[1:]] if scores.exists() else []
            failing = {it["prompt"]["id"] for it in lines if isinstance(it.get("prompt"), dict)}
            of_path = [json.loads(line) for line in path.read_text().splitlines()] if len(failing) == len(lines) else []
            for it in of_path:
                tokens, seconds = it.get("output_token_count"), it.get("latency")
                if scores.exists() and tokens and isinstance(tokens, (int, float)) and isinstance(seconds, (int, float)):
                    known[it["id"]], classes[it["id"]] = Outcome(it["id"] in failing, int(tokens), seconds), of_class
        if len(known) > 1_000:
            source.add("checker", results.name, known, classes)
    modes = ("-FC", "-FC-Auto", "-FC-Any")
    source.finish(0.85, lambda names: [(it, it + mode) for it in names for mode in modes if it + mode in names])
    source.causes = {"tools": "tool_schemas"}
    return source
