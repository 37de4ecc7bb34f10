#!/usr/bin/env python3
"""Writes the price table and its oracle from the `genai-prices` package (MIT, Pydantic Services Inc.).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices==0.2.3
    /tmp/prices/bin/python src/core/price/generate.py

- table.json: providers in genai-prices' own JSON form, one model a line, cut down to what decides the price of text
  tokens and of the request as such; audio, images, searches and batch or priority variants are left out.
- table.meta.json: where the table is from, when it was made, and both hashes.
- tests/fixtures/prices/calc_price.json: what the package's `calc_price` answers for a sample of calls.
"""

import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import warnings
from decimal import Decimal

import genai_prices
from genai_prices import data, types
from genai_prices.data import providers

HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parents[2] / "tests/fixtures/prices/calc_price.json"
PRICE_KEYS = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
)


def main():
    table = render([provider_json(provider) for provider in providers])
    (HERE / "table.json").write_text(table)
    meta = {
        "source": "https://pypi.org/project/genai-prices/",
        "version": importlib.metadata.version("genai_prices"),
        "generated": datetime.date.today().isoformat(),
        "source_sha256": sha256(pathlib.Path(data.__file__).read_bytes()),
        "sha256": sha256(table.encode()),
        "licence": "MIT, Copyright (c) Pydantic Services Inc. 2025 to present; see LICENSE-genai-prices",
    }
    (HERE / "table.meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    CASES.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    CASES.write_text(f"[\n{lines}\n]\n")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# The table.


def render(table):
    """JSON with one model a line, so that a new version of the table can be read as a diff."""
    compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    heads = [compact({**provider, "models": []})[:-2] for provider in table]
    bodies = [",\n".join(compact(model) for model in provider["models"]) for provider in table]
    return "[\n" + ",\n".join(f"{head}\n{body}\n]}}" for head, body in zip(heads, bodies)) + "\n]\n"


def provider_json(provider):
    optional = {
        "model_match": provider.model_match and clause(provider.model_match),
        "provider_match": provider.provider_match and clause(provider.provider_match),
        "fallback_model_providers": provider.fallback_model_providers,
    }
    models = [{"id": it.id, "match": clause(it.match), "prices": prices(it.prices)} for it in provider.models]
    return {"id": provider.id, **{key: value for key, value in optional.items() if value}, "models": models}


def clause(match):
    (key, value), = ((key.rstrip("_"), value) for key, value in vars(match).items())
    return {key: [clause(part) for part in value] if isinstance(value, list) else value}


def prices(price):
    if isinstance(price, types.ModelPrice):
        return rates(price)
    return [
        {**({"constraint": constraint(it.constraint)} if it.constraint else {}), "prices": rates(it.prices)}
        for it in price
    ]


def constraint(constraint):
    return {key: value.isoformat() for key, value in vars(constraint).items()}


def rates(price):
    return {key: rate(vars(price)[key]) for key in PRICE_KEYS if vars(price).get(key) is not None}


def rate(price):
    if isinstance(price, Decimal):
        return number(price)
    tiers = [{"start": tier.start, "price": number(tier.price)} for tier in price.tiers]
    return {"base": number(price.base), "tiers": tiers}


def number(price):
    """Prices are read in steps of 1e-12 USD a million tokens; what is finer is noise of binary fractions."""
    price = round(price, 12)
    return int(price) if price == int(price) else float(price)


# The oracle.

# (input, output, cache read, cache write, reasoning), cached tokens inside the input.
USAGES = (
    (1000, 500, None, None, None),
    (29, 8, 11, 7, None),
    (123_457, 4_321, 100_003, 2_001, 1_999),
    (199_999, 7, None, None, None),
    (200_001, 1_001, 50_000, None, 100),
    (1_000_003, 77_777, 500_001, 10_000, 33_333),
    (5, 0, None, None, None),
)
TIMES = ("2024-06-01T12:00:00Z", "2025-09-15T23:45:00Z", "2026-03-01T03:00:00Z", "2026-11-20T10:00:00Z")
# What is not in the table, what is there only for others, odd spellings, compact dates, gateways.
EXTRA = (
    (None, "gpt-4o"),
    (None, "GPT-4o-mini"),
    (None, "claude-sonnet-4-5-20250929"),
    (None, "o3-mini"),
    (None, "mistral-large-latest"),
    (None, "labs-devstral-small-2512"),
    (None, "mistralai/mistral-large"),
    (None, "gemini-2.5-pro"),
    (None, "gemini-2.5-flash-preview-tts"),
    (None, "my-own-model"),
    ("openai", "gpt-5.2-20251211"),
    ("openai", "gpt-4o-20240806"),
    ("openai", "gpt-4o-20241399"),
    ("openai", "my-own-model"),
    ("OpenAI", "gpt-4o"),
    (" openai ", "gpt-4o"),
    ("azure", "gpt-4o"),
    ("azure", "claude-sonnet-4-5"),
    ("azure.ai.openai", "gpt-4o-mini"),
    ("aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
    ("gcp.vertex_ai", "gemini-2.0-flash"),
    ("google", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-flash-preview-tts"),
    ("mistral_ai", "mistral-small-latest"),
    ("litellm", "openai/gpt-4o"),
    ("litellm", "anthropic/claude-sonnet-4-5"),
    ("litellm", "nobody/gpt-4o"),
    ("litellm", "gpt-4o"),
    ("nobody", "gpt-4o"),
    ("groq", "whisper-large-v3"),
    ("openrouter", "openrouter/free"),
    ("openrouter", "deepseek/deepseek-r1:free"),
)


def cases():
    """`[provider, model, usage, time, nano-USD or null]`."""
    subjects = list(EXTRA)
    for provider in providers:
        for n, model in enumerate(provider.models):
            if n % 12 == 0 or interesting(model):
                subjects += [(provider.id, ref) for ref in references(model.match)[:2]]
    for n, (provider, model) in enumerate(subjects):
        # Neighbours have other usages and times, so that one case a name meets all of them.
        for k in range(1 if n >= len(EXTRA) else 4):
            usage, time = USAGES[(n + 3 * k) % len(USAGES)], TIMES[(n + k) % len(TIMES)]
            yield [provider, model, usage, time, nano_usd(provider, model, usage, time)]


def interesting(model):
    text = repr(model.prices)
    return "TimeOfDate" in text or text.count("start_date") > 1 or "Regex" in repr(model.match) or "requests" in text \
        or "reasoning" in text or text.count("Tier(") > 7


def references(match):
    """Texts that a clause matches, as far as they can be guessed."""
    (key, value), = vars(match).items()
    guesses = {
        "equals": lambda: [value, value.upper()],
        "starts_with": lambda: [value, value + "-2025-01-01"],
        "ends_with": lambda: ["x-" + value],
        "contains": lambda: ["eu." + value + "-v1:0"],
        "regex": lambda: [value.strip("^$").replace(r"\d{8}", "20260102").replace(r"\d{4}-\d{2}-\d{2}", "2026-01-02")
                          .replace(r"\d", "7").replace("\\", "")],
        "or_": lambda: [text for part in value for text in references(part)],
        "and_": lambda: references(value[0]),
    }
    return guesses[key]()


def nano_usd(provider, model, usage, time):
    keys = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")
    tokens = {key: count for key, count in zip(keys, usage) if count is not None}
    at = datetime.datetime.fromisoformat(time)
    try:
        result = genai_prices.calc_price(
            genai_prices.Usage(**tokens), model, provider_id=provider, genai_request_timestamp=at
        )
    except LookupError:
        return None
    # A model that is sold by the second or the page has no price for tokens, which is not the price 0.
    sold = vars(result.model_price)
    if all(sold.get(key) is None for key in ("input_mtok", "output_mtok", "requests_kcount")):
        return None
    return round(float(result.total_price * 1_000_000_000), 3)


if __name__ == "__main__":
    warnings.simplefilter("error")
    main()
