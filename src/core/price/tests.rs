//! The tables against their makers: genai-prices' own arithmetic, and the hashes it was made with.

use serde_json::Value as Json;

use super::*;
use crate::core::canonical::sha256_hex;
use crate::core::time::UnixNanos;

const META: &str = include_str!("table.meta.json");
const LICENCE: &str = include_str!("LICENSE-genai-prices");
const CASES: &str = include_str!("../../../tests/fixtures/prices/calc_price.json");

fn call(provider: Option<&str>, model: &str, input: u64, output: u64) -> ModelCall {
    ModelCall {
        provider: provider.map(Into::into),
        model_requested: Some(model.into()),
        input_tokens: Some(input),
        output_tokens: Some(output),
        started_at: UnixNanos::parse("2026-11-20T10:00:00Z").unwrap(),
        ..ModelCall::default()
    }
}

fn own(text: &str) -> Prices {
    Prices::new(Some(Arc::new(Table::parse(text).unwrap())))
}

/// Proves that the table is the one that its hash, version and licence were written down for.
#[test]
fn the_table_is_the_one_that_was_generated() {
    let meta: Json = serde_json::from_str(META).unwrap();
    assert_eq!(meta["sha256"], sha256_hex(BUILT_IN.as_bytes()), "run src/core/price/generate.py");
    assert!(meta["version"].is_string() && meta["generated"].is_string() && meta["source_sha256"].is_string());
    assert!(LICENCE.contains("MIT") && LICENCE.contains("Pydantic"));
}

/// Proves that the built-in table needs no check at run time: it is read whole and its expressions compile.
#[test]
fn the_built_in_table_is_sound() {
    let checked = Table::parse(BUILT_IN).unwrap();
    assert_eq!(checked, Table::built_in());
    assert!(checked.models() > 2_000);
}

/// Proves that costs are those of genai-prices' `calc_price`, to a billionth of a dollar, over its rules for names,
/// tiers, dates, times of day, parts of usage and unknown models; from the table and from the same file as an own one.
#[test]
fn costs_are_those_of_genai_prices() {
    let cases: Vec<Json> = serde_json::from_str(CASES).unwrap();
    let (mut prices, mut from_file) = (Prices::new(None), own(BUILT_IN));
    for case in &cases {
        let usage = |at: usize| case[2][at].as_u64();
        let call = ModelCall {
            provider: case[0].as_str().map(Into::into),
            model_served: case[1].as_str().map(Into::into),
            input_tokens: usage(0),
            output_tokens: usage(1),
            cached_input_tokens: usage(2),
            cache_write_tokens: usage(3),
            reasoning_tokens: usage(4),
            cached_tokens: Some(CachedTokens::Inside),
            started_at: UnixNanos::parse(case[3].as_str().unwrap()).unwrap(),
            ..ModelCall::default()
        };
        let cost = prices.cost(&call);
        match case[4].as_f64() {
            Some(nano_usd) => {
                let (cost, source) = cost.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert!((cost as f64 - nano_usd).abs() <= 1.0, "{case}: {cost}");
                assert_eq!(source, CostSource::Table);
                assert_eq!(from_file.cost(&call), Ok((cost, CostSource::Override)), "{case}");
            }
            None => assert_eq!(cost, Err(Unpriced::Model), "{case}"),
        }
    }
    assert!(cases.len() > 500);
}

/// Proves that remembering changes no answer, and stays within its bound whatever names come.
#[test]
fn remembering_is_bounded() {
    let mut prices = Prices::new(None);
    for n in 0..3 * REMEMBERED_MAX {
        assert_eq!(prices.cost(&call(Some("openai"), &format!("mine-{n}"), 1, 1)), Err(Unpriced::Model));
        assert_eq!(prices.cost(&call(Some("openai"), "gpt-4o", 1_000, 0)), Ok((2_500_000, CostSource::Table)));
        assert!(prices.found.len() <= REMEMBERED_MAX);
    }
    let before = prices.found.len();
    assert_eq!(prices.cost(&call(None, &"x".repeat(REMEMBERED_BYTES_MAX + 1), 1, 1)), Err(Unpriced::Model));
    assert_eq!(prices.found.len(), before);
}

/// Proves that both conventions of cached tokens come to the same cost, and which one a provider's name stands for.
#[test]
fn cached_tokens_count_once() {
    let mut prices = Prices::new(None);
    let cached = |provider, input, cached_tokens| ModelCall {
        cached_input_tokens: Some(11),
        cache_write_tokens: Some(7),
        cached_tokens,
        ..call(Some(provider), "claude-sonnet-4-5", input, 8)
    };
    let cost = 29 * 3_000 + 11 * 300 + 7 * 3_750 + 8 * 15_000;
    for (provider, input, said) in [
        ("anthropic", 29, None),
        ("anthropic", 29, Some(CachedTokens::Apart)),
        ("anthropic", 47, Some(CachedTokens::Inside)),
        ("azure", 47, None),
    ] {
        assert_eq!(prices.cost(&cached(provider, input, said)), Ok((cost, CostSource::Table)), "{provider} {said:?}");
    }
}

/// Proves that a call without what a price needs has no cost and is no unknown model.
#[test]
fn missing_is_not_zero() {
    let mut prices = Prices::new(None);
    let full = call(Some("openai"), "gpt-4o", 5, 5);
    for lacking in [
        ModelCall { model_requested: None, ..full.clone() },
        ModelCall { input_tokens: None, ..full.clone() },
        ModelCall { output_tokens: None, ..full.clone() },
        ModelCall { input_tokens: None, output_tokens: None, model_requested: Some("mine".into()), ..full.clone() },
        ModelCall { cached_input_tokens: Some(6), ..full.clone() },
    ] {
        assert_eq!(prices.cost(&lacking), Err(Unpriced::Usage), "{lacking:?}");
    }
    assert!(prices.cost(&full).is_ok());
}

/// Proves which model is priced when two are named, and that names of the conventions find their providers.
#[test]
fn names_find_their_models() {
    let mut prices = Prices::new(None);
    for (provider, served, requested, found) in [
        (Some("openai"), Some("gpt-4o-mini-2024-07-18"), Some("gpt-4o"), Some(150)),
        (Some("openai"), Some("served-by-a-proxy"), Some("gpt-4o"), Some(2_500)),
        (Some("azure.ai.inference"), Some("gpt-4o"), None, Some(2_500)),
        (Some("az.ai.inference"), Some("gpt-4o"), None, Some(2_500)),
        (Some("_OTHER"), Some("gpt-4o"), None, Some(2_500)),
        (Some("gcp.gen_ai"), Some("gemini-2.0-flash"), None, Some(100)),
        (Some("gcp.vertex_ai"), Some("gemini-2.0-flash"), None, Some(100)),
        (Some("ollama"), Some("gpt-4o"), None, None),
    ] {
        let call = ModelCall {
            model_served: served.map(Into::into),
            model_requested: requested.map(Into::into),
            ..call(provider, "", 1, 0)
        };
        assert_eq!(prices.cost(&call).ok().map(|(cost, _)| cost), found, "{provider:?} {served:?} {requested:?}");
    }
}

/// Proves that an own file wins where it says something and the table answers for the rest, in both forms.
#[test]
fn own_prices_win() {
    let genai = r#"[{"id": "openai", "models": [{"id": "x", "match": {"starts_with": "GPT-4o"}, "prices": {"input_mtok": 1, "output_mtok": 1}}]},
                    {"id": "vllm", "models": [{"id": "y", "match": {"equals": "llama"}, "prices": {"input_mtok": 0, "output_mtok": 0}}]}]"#;
    let litellm = r#"{"sample_spec": {"input_cost_per_token": "none"},
        "azure/gpt-4o": {"litellm_provider": "azure", "input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6},
        "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
        "llama": {"input_cost_per_token": 0, "output_cost_per_token": 0.0, "max_tokens": 5, "supports_vision": true}}"#;
    for text in [genai, litellm] {
        let mut prices = own(text);
        for (provider, model, cost) in [
            (Some("openai"), "GPT-4O", Ok((1_000, CostSource::Override))),
            (Some("azure.ai.openai"), "gpt-4o", Ok((1_000, CostSource::Override))),
            (None, "gpt-4o", Ok((1_000, CostSource::Override))),
            (Some("vllm"), "llama", Ok((0, CostSource::Override))),
            (None, "llama", Ok((0, CostSource::Override))),
            (Some("openai"), "gpt-4.1", Ok((2_000, CostSource::Table))),
            (Some("openai"), "mine", Err(Unpriced::Model)),
        ] {
            assert_eq!(prices.cost(&call(provider, model, 1, 0)), cost, "{provider:?} {model}: {text}");
        }
    }
    let mut prices = own(litellm);
    assert_eq!(prices.cost(&call(Some("azure"), "gpt-4o", 1, 0)), Ok((9_000, CostSource::Override)));
}

/// Proves what is read of LiteLLM's form: parts, tiers, families of providers; and what is left for the table.
#[test]
fn litellm_prices_are_read() {
    let mut prices = own(r#"{
        "bedrock/eu.mine": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
            "cache_read_input_token_cost": 1e-7, "cache_creation_input_token_cost": 3e-6, "input_cost_per_token_batches": 5e-7,
            "input_cost_per_token_above_200k_tokens": 4e-6, "output_cost_per_token_above_200k_tokens": 8e-6,
            "cache_creation_input_token_cost_above_1hr": 9e-6, "output_cost_per_reasoning_token": 5e-6},
        "picture": {"litellm_provider": "bedrock", "mode": "image_generation", "input_cost_per_token": 0},
        "speech": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_second": 1}}"#);
    let parts = |input| ModelCall {
        cached_tokens: Some(CachedTokens::Inside),
        cached_input_tokens: Some(10),
        cache_write_tokens: Some(20),
        reasoning_tokens: Some(3),
        ..call(Some("aws.bedrock"), "eu.mine", input, 8)
    };
    assert_eq!(prices.cost(&parts(100)).unwrap().0, 70 * 1_000 + 10 * 100 + 20 * 3_000 + 5 * 2_000 + 3 * 5_000);
    assert_eq!(
        prices.cost(&parts(200_001)).unwrap().0,
        199_971 * 4_000 + 10 * 100 + 20 * 3_000 + 5 * 8_000 + 3 * 5_000
    );
    for other in ["picture", "speech"] {
        assert_eq!(prices.cost(&call(Some("aws.bedrock"), other, 1, 1)), Err(Unpriced::Model));
    }
}

/// Proves that prices change at their date and at their hour, UTC, over midnight as well.
#[test]
fn prices_change_with_time() {
    let mut prices = own(r#"[{"id": "p", "models": [
        {"id": "dated", "match": {"equals": "dated"}, "prices": [
            {"prices": {"input_mtok": 1}},
            {"constraint": {"start_date": "2026-02-01"}, "prices": {"input_mtok": 2}},
            {"constraint": {"start_date": "2026-03-01"}, "prices": {"input_mtok": 3}}]},
        {"id": "night", "match": {"equals": "night"}, "prices": [
            {"prices": {"input_mtok": 5}},
            {"constraint": {"start_time": "16:30:00Z", "end_time": "08:30:00+08:00"}, "prices": {"input_mtok": 4}}]},
        {"id": "late", "match": {"equals": "late"}, "prices": [
            {"constraint": {"start_date": "2099-01-01"}, "prices": {"input_mtok": 6}}]}]}]"#);
    for (model, at, cost) in [
        ("dated", "2026-01-31T23:59:59.999Z", 1_000),
        ("dated", "2026-02-01T00:00:00Z", 2_000),
        ("dated", "2026-03-01T01:00:00+02:00", 2_000),
        ("dated", "2030-01-01T00:00:00Z", 3_000),
        ("night", "2026-01-01T16:29:59Z", 5_000),
        ("night", "2026-01-01T16:30:00Z", 4_000),
        ("night", "2026-01-01T00:29:59Z", 4_000),
        ("night", "2026-01-01T00:30:00Z", 5_000),
        ("late", "2026-01-01T00:30:00Z", 6_000),
    ] {
        let call = ModelCall { started_at: UnixNanos::parse(at).unwrap(), ..call(Some("p"), model, 1, 0) };
        assert_eq!(prices.cost(&call), Ok((cost, CostSource::Override)), "{model} {at}");
    }
}

/// Proves that a file that can't be used is refused with place and reason.
#[test]
fn bad_files_are_refused() {
    let model = |prices: &str| {
        format!(
            "[{{\"id\": \"p\",\n\"models\": [{{\"id\": \"m\", \"match\": {{\"equals\": \"m\"}},\n \"prices\": {prices}}}]}}]"
        )
    };
    for (text, place, reason) in [
        (String::new(), "line 1,", "EOF while parsing a value"),
        ("[".to_owned(), "line 1,", "EOF while parsing a list"),
        ("7".to_owned(), "line 1,", "invalid type: integer `7`, expected a sequence"),
        ("[{\"id\": \"p\"}]".to_owned(), "line 1,", "missing field `models`"),
        (model("{\"input_mtoks\": 1}"), "line 3,", "unknown price \"input_mtoks\""),
        (model("{\"input_mtok\": -1}"), "line 3,", "input_mtok: -1 is no price from 0 to 1000000 USD"),
        (model("[]"), "line 3,", "a model without prices"),
        (
            model("[{\"constraint\": {\"start_date\": \"soon\"}, \"prices\": {}}]"),
            "line 3,",
            "start_date: \"soon\" is no date",
        ),
        (model("{}").replace("equals", "like"), "line 2,", "unknown variant `like`"),
        (model("{}").replace("{\"equals\": \"m\"}", "{\"regex\": \"a(?!b)\"}"), "provider \"p\"", "regex \"a(?!b)\": "),
        ("{\n\"m\": {\"input_cost_per_token\": -1}}".to_owned(), "line 2,", "input_cost_per_token: -1 is no price"),
        ("{\n\"m\": 5}".to_owned(), "line 2,", "invalid type: integer `5`, expected a model with"),
    ] {
        let error = Table::parse(&text).unwrap_err();
        assert!(error.place.starts_with(place) && error.reason.starts_with(reason), "{text}: {error}");
    }
}
