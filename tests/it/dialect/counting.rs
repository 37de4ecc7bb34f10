//! One ground truth a scenario, the same for every dialect: the model is a fake one, so what happened is known. What a
//! dialect does not emit is an exception by name, with its reason.

use super::truths::PATH;
use super::*;
use freezeframe::core::request::{ModelCall, Outcome};

/// All model calls of a scenario in order of start.
fn calls(requests: &[Request]) -> Vec<&ModelCall> {
    let mut calls: Vec<_> = requests.iter().flat_map(|it| &it.calls).collect();
    calls.sort_by_key(|it| it.started_at);
    calls
}

fn tokens(requests: &[Request]) -> Vec<(Option<u64>, Option<u64>)> {
    calls(requests).iter().map(|call| (call.input_tokens, call.output_tokens)).collect()
}

/// The dialects among the fixtures that have the scenario, but for those named.
fn having<'s>(scenario: &'s str, but: &'s [&'s str]) -> impl Iterator<Item = (String, Vec<Request>)> + 's {
    let found = scenarios().into_iter().filter(move |(_, name)| name == scenario).map(|(dialect, _)| dialect);
    found.filter(|dialect| !but.contains(&dialect.as_str())).map(|dialect| {
        let requests = requests(&dialect, scenario);
        (dialect, requests)
    })
}

fn is_anthropic(dialect: &str) -> bool {
    dialect.starts_with("anthropic")
}

/// Proves that one answered question is one call with its tokens, however many spans and log records tell of it.
#[test]
fn a_chat_is_one_call() {
    for (dialect, requests) in having("chat", &[]) {
        let expected = if is_anthropic(&dialect) { (29..=47, 7) } else { (36..=36, 8) };
        let [(Some(input), Some(output))] = tokens(&requests)[..] else { panic!("{dialect}: {requests:?}") };
        assert!(expected.0.contains(&input) && output == expected.1, "{dialect}: {input}/{output}");
        assert_eq!(requests.iter().map(|it| it.outcome).collect::<Vec<_>>(), [Outcome::Ok], "{dialect}");
    }
}

/// Proves that an agent's run is three calls, not more for agents, steps, wrappers and sums, and that its tools and
/// their path are the same from spans or from messages.
#[test]
fn an_agents_run_is_three_calls() {
    // LiteLLM's is one turn, whose tools never run.
    for scenario in ["tools", "lc-agent"] {
        for (dialect, requests) in having(scenario, &["litellm"]) {
            let at = format!("{dialect}/{scenario}");
            let outputs: Vec<_> = tokens(&requests).iter().map(|it| it.1).collect();
            assert_eq!(outputs, [Some(75), Some(41), Some(20)], "{at}");
            // Without content and without tool spans nothing tells of tools.
            if dialect == "anthropic-native-nocontent" {
                continue;
            }
            assert_eq!(requests.last().and_then(|it| it.tool_path.as_deref()), PATH, "{at}");
            let ran: Vec<_> = requests.iter().flat_map(|it| &it.tools).filter(|it| it.ran).collect();
            let mut names: Vec<_> = ran.iter().map(|it| &*it.name).collect();
            names.sort_unstable();
            assert_eq!(names, ["convert_currency", "get_order", "search_kb"], "{at}");
            let failed: Vec<_> = ran.iter().filter(|it| it.error.is_some()).map(|it| &*it.name).collect();
            let expected: &[&str] = if is_anthropic(&dialect) { &[] } else { &["convert_currency"] };
            assert_eq!(failed, expected, "{at}");
        }
    }
    let requests = requests("litellm", "tools");
    let tools: Vec<_> = requests.iter().flat_map(|it| &it.tools).map(|it| (&*it.name, it.ran)).collect();
    assert_eq!(tools, [("get_order", false), ("search_kb", false)], "asked for, never run");
}

/// Proves that a stream is one call that lasts to its end, and has tokens only where the provider was asked for them.
#[test]
fn a_stream_is_one_call() {
    // The old OpenLLMetry counts no tokens of a stream.
    for (dialect, requests) in having("stream", &["openllmetry-old"]) {
        let expected = if is_anthropic(&dialect) { 7 } else { 8 };
        let found = calls(&requests);
        let [call] = found[..] else { panic!("{dialect}: {} calls", found.len()) };
        assert_eq!(call.output_tokens, Some(expected), "{dialect}");
        assert!(call.duration >= Duration::from_millis(200), "{dialect}: {:?}", call.duration);
    }
    for scenario in ["stream-nousage", "lc-stream"] {
        for (dialect, requests) in having(scenario, &[]) {
            assert_eq!(tokens(&requests), [(None, None)], "{dialect}/{scenario}");
        }
    }
}

/// Proves that retrieval and embedding are no model calls of the answer's kind.
#[test]
fn a_rag_answer_is_one_call() {
    for (scenario, input) in [("rag", 64..=68), ("lc-rag", 64..=64)] {
        for (dialect, requests) in having(scenario, &[]) {
            let found = tokens(&requests);
            let [(Some(asked), Some(13))] = found[..] else { panic!("{dialect}/{scenario}: {found:?}") };
            assert!(input.contains(&asked), "{dialect}/{scenario}: {asked}");
        }
    }
}

/// Proves that three answers that were no answers are three calls, the last cut at its limit, and that at least the
/// provider's filter or the refusal is seen.
#[test]
fn refusals_are_seen() {
    for (dialect, requests) in having("refusals", &[]) {
        assert_eq!(calls(&requests).len(), 3, "{dialect}");
        let told = |outcome: Outcome| requests.iter().any(|it| it.outcome == outcome);
        assert!(told(Outcome::Refused) || told(Outcome::Blocked), "{dialect}");
    }
}

/// Proves that a failed call is one failure, whatever else turns red above it, and that hidden attempts are no calls.
#[test]
fn errors_and_retries_are_counted_once() {
    for (dialect, requests) in having("errors", &["vercel-ai5", "vercel-ai7"]) {
        let found = calls(&requests);
        assert_eq!(found.len(), 5, "{dialect}");
        let codes: Vec<_> = found.iter().map(|it| it.error.as_ref().expect(&dialect).status_code).collect();
        let timeouts: Vec<_> = found.iter().map(|it| it.error.as_ref().is_some_and(|it| it.timeout)).collect();
        assert_eq!(timeouts, [false, false, false, false, true], "{dialect}");
        // Some SDKs give the error's class and no code.
        let coded = codes.iter().zip([Some(429), Some(500), Some(400), Some(400), None]);
        assert!(
            coded.into_iter().all(|(found, code)| found.is_none() || *found == code || *found == Some(408)),
            "{dialect}: {codes:?}"
        );
    }
    // Vercel retries by itself: a bad request, a filtered one, one that was tried again, a timeout.
    for dialect in ["vercel-ai5", "vercel-ai7"] {
        let requests = requests(dialect, "errors");
        assert_eq!(requests.iter().map(|it| it.calls.len()).collect::<Vec<_>>(), [1, 1, 1, 1], "{dialect}");
        assert!(requests.iter().all(|it| it.calls[0].error.is_some()), "{dialect}");
    }
    assert_eq!(requests("vercel-ai5", "errors")[2].calls[0].retries, Some(1));
    for (dialect, requests) in having("retry", &[]) {
        let found = calls(&requests);
        let [call] = found[..] else { panic!("{dialect}: {} calls", found.len()) };
        assert_eq!(call.error, None, "{dialect}");
        let expected = matches!(dialect.as_str(), "vercel-ai5" | "anthropic-native").then_some(1);
        assert!(call.retries == expected || call.retries == Some(1), "{dialect}: {:?}", call.retries);
    }
}

/// Proves that a broken stream and one that was given up are two calls without tokens.
#[test]
fn cut_streams_are_calls_without_tokens() {
    // mlflow and Vercel lose the abandoned one, OpenLIT and the old OpenLLMetry both.
    for (dialect, requests) in having("cut", &["mlflow", "vercel-ai5", "openlit", "openllmetry-old"]) {
        let found = calls(&requests);
        assert_eq!(found.len(), 2, "{dialect}");
        assert!(found.iter().all(|it| it.output_tokens.is_none()), "{dialect}");
    }
}
