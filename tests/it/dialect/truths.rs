//! The exact requests that scenarios come to: calls, tokens, outcome, path.

use super::*;
use freezeframe::core::request::{FinishReason, ModelCall, Outcome};

/// What a scenario must come to.
pub(super) struct Truth {
    pub(super) dialect: &'static str,
    pub(super) scenario: &'static str,
    feature: &'static str,
    outcome: Outcome,
    finish: Option<FinishReason>,
    /// Input and output tokens of every call.
    tokens: &'static [(Option<u64>, Option<u64>)],
    path: Option<&'static str>,
}

const CHAT: &[(Option<u64>, Option<u64>)] = &[(Some(36), Some(8))];
const TOOLS: &[(Option<u64>, Option<u64>)] = &[(Some(41), Some(75)), (Some(158), Some(41)), (Some(176), Some(20))];
pub(super) const PATH: Option<&str> = Some("get_order|search_kb>convert_currency");

const fn answered(
    dialect: &'static str,
    scenario: &'static str,
    feature: &'static str,
    tokens: &'static [(Option<u64>, Option<u64>)],
    path: Option<&'static str>,
) -> Truth {
    Truth { dialect, scenario, feature, outcome: Outcome::Ok, finish: Some(FinishReason::Stop), tokens, path }
}

/// Scenarios that are one request.
pub(super) const TRUTHS: &[Truth] = &[
    answered("official-legacy", "chat", "/ask", CHAT, None),
    answered("official-legacy", "stream", "/ask", CHAT, None),
    answered("official-legacy", "rag", "/rag", &[(Some(68), Some(13))], None),
    answered("official-legacy", "tools", "/agent", TOOLS, PATH),
    answered("official-latest", "chat", "/ask", CHAT, None),
    answered("official-latest", "chat-noroot", "support-api", CHAT, None),
    answered("official-latest", "stream", "/ask", CHAT, None),
    answered("official-latest", "stream-nousage", "/ask", &[(None, None)], None),
    answered("official-latest", "rag", "/rag", &[(Some(68), Some(13))], None),
    answered("official-latest", "eval", "/ask", CHAT, None),
    answered("official-latest", "retry", "/ask", &[(Some(35), Some(8))], None),
    answered("official-latest", "tools", "/agent", TOOLS, PATH),
    answered("official-nocontent", "chat", "/ask", CHAT, None),
    answered("official-nocontent", "stream", "/ask", CHAT, None),
    answered("official-nocontent", "tools", "support_agent", TOOLS, PATH),
    answered("official-js", "chat", "support-web", CHAT, None),
    answered("openinference", "chat", "order-help", CHAT, None),
    answered("openinference", "stream", "order-help", CHAT, None),
    answered("openinference", "rag", "order-help", &[(Some(68), Some(13))], None),
    answered("openinference", "eval", "order-help", CHAT, None),
    answered("openinference", "tools", "order-help", TOOLS, PATH),
    answered("openinference-dual", "chat", "order-help", CHAT, None),
    answered("openinference-langchain", "rag", "order-help", &[(Some(64), Some(13))], None),
    answered("openllmetry", "chat", "order-help", CHAT, None),
    answered("openllmetry", "stream", "order-help", CHAT, None),
    answered("openllmetry", "prompt", "order-help", CHAT, None),
    answered("openllmetry", "rag", "order-help", &[(Some(68), Some(13))], None),
    answered("openllmetry", "tools", "order-help", TOOLS, PATH),
    answered("openllmetry-old", "chat", "order-help", CHAT, None),
    answered("vercel-ai7", "chat", "ask", CHAT, None),
    answered("pydantic-ai", "chat", "ask", CHAT, None),
    answered(
        "pydantic-ai",
        "tools",
        "support_agent",
        &[(Some(41), Some(75)), (Some(152), Some(41)), (Some(172), Some(20))],
        PATH,
    ),
    answered("openlit", "chat", "ask", CHAT, None),
    answered("litellm", "chat", "llm-gateway", CHAT, None),
    answered("logfire", "chat", "ask", CHAT, None),
    answered("anthropic-native", "chat", "ask", &[(Some(29), Some(7))], None),
    answered(
        "anthropic-native",
        "tools",
        "ask",
        &[(Some(28), Some(75)), (Some(149), Some(41)), (Some(163), Some(20))],
        PATH,
    ),
    Truth {
        dialect: "openllmetry",
        scenario: "anthropic",
        feature: "order-help",
        outcome: Outcome::Refused,
        finish: Some(FinishReason::Refusal),
        tokens: &[(Some(29), Some(7)), (Some(28), Some(75)), (Some(26), Some(1))],
        path: Some("get_order|search_kb"),
    },
    Truth {
        dialect: "official-latest",
        scenario: "refusals",
        feature: "/ask",
        outcome: Outcome::Refused,
        finish: Some(FinishReason::Length),
        tokens: &[(Some(31), Some(1)), (Some(31), Some(1)), (Some(31), Some(4))],
        path: None,
    },
    Truth {
        dialect: "official-latest",
        scenario: "cut",
        feature: "/ask",
        outcome: Outcome::Error,
        finish: Some(FinishReason::Error),
        tokens: &[(None, None), (None, None)],
        path: None,
    },
];

/// Proves the exact count of calls, tokens, tools and outcome of every scenario: nothing twice, nothing made up.
#[test]
fn every_scenario_comes_to_its_truth() {
    for truth in TRUTHS {
        let at = format!("{}/{}", truth.dialect, truth.scenario);
        let found = requests(truth.dialect, truth.scenario);
        let [request] = found.as_slice() else { panic!("{at}: {} requests", found.len()) };
        let tokens: Vec<_> = request.calls.iter().map(|call| (call.input_tokens, call.output_tokens)).collect();
        assert_eq!(&*request.feature, truth.feature, "{at}");
        assert_eq!((request.outcome, request.finish_reason), (truth.outcome, truth.finish), "{at}");
        assert_eq!(tokens, truth.tokens, "{at}");
        assert_eq!(request.tool_path.as_deref(), truth.path, "{at}");
        assert!(request.calls.iter().all(|call| call.model_served.is_some()), "{at}");
        let in_time = |call: &ModelCall| call.time_to_first_token.is_none_or(|it| it <= call.duration);
        assert!(request.calls.iter().all(in_time), "{at}");
    }
}

/// Proves that calls without a parent are requests of their own, and a trace without any LLM span is none.
#[test]
fn rootless_calls_are_requests_and_plain_traces_are_not() {
    assert_eq!(requests("openlit", "tools").len(), 3);
    let payloads = payloads("official-latest", "responses");
    assert_eq!(closed(&payloads, &items(&payloads)), []);
}
