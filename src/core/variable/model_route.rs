//! The model that answered, the one that was asked for, and the slice that routed between them.

use serde_json::{Value as Json, json};

use super::distinct;
use crate::core::request::{ModelCall, Request};

/// `openai/gpt-4o-mini-2024-07-18`, with ` via <route>` behind it; several models of one request joined by `+`.
pub(super) fn value(request: &Request) -> Option<String> {
    distinct(request.calls.iter().filter_map(call_value))
}

fn call_value(call: &ModelCall) -> Option<String> {
    let model = call.model_served.as_deref().or(call.model_requested.as_deref())?;
    let mut value = String::with_capacity(64);
    if let Some(provider) = &call.provider {
        value.extend([provider, "/"]);
    }
    value.push_str(model);
    if let Some(route) = &call.route {
        value.extend([" via ", route]);
    }
    Some(value)
}

pub(super) fn detail(request: &Request) -> Json {
    let calls: Vec<Json> = request
        .calls
        .iter()
        .map(|call| {
            json!({
                "provider": call.provider,
                "requested": call.model_requested,
                "served": call.model_served,
                "fingerprint": call.fingerprint,
                "route": call.route,
                "route_reason": call.route_reason,
                "temperature": call.temperature,
                "top_p": call.top_p,
                "max_tokens": call.max_tokens,
            })
        })
        .fold(Vec::new(), |mut unique, call| {
            if !unique.contains(&call) {
                unique.push(call);
            }
            unique
        });
    json!({ "calls": calls })
}

/// How the calls of a request ended at their provider: `openai: ok`, `openai: ok after retries`, or the first that failed
/// as `openai: 429`, `openai: timeout`, by the status or the kind of the error.
pub(crate) fn upstream(request: &Request) -> Option<String> {
    let call = request.calls.iter().find(|call| call.error.is_some()).or(request.calls.last())?;
    let is_retried = request.calls.iter().any(|call| call.retries > Some(0));
    let ended = match &call.error {
        None if is_retried => "ok after retries".into(),
        None => "ok".into(),
        Some(error) if error.timeout => "timeout".into(),
        Some(error) => error.status_code.map_or_else(|| error.kind.to_string(), |status| status.to_string()),
    };
    Some(format!("{}: {ended}", call.provider.as_deref().unwrap_or("unknown")))
}

pub(super) fn instrument() -> &'static str {
    "the instrumentation reports no model: set gen_ai.request.model and gen_ai.response.model, and gen_ai.routing.slice \
     where a router chooses"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::request::Failure;
    use crate::core::request::tests::request;

    /// Proves what is said of each end of a call.
    #[test]
    fn calls_end_somehow() {
        let failed = |kind: &str, timeout, status_code| {
            Some(Failure { kind: kind.into(), message: "".into(), timeout, status_code })
        };
        for (error, retries, ended) in [
            (None, None, "openai: ok"),
            (None, Some(2), "openai: ok after retries"),
            (failed("RateLimitError", false, Some(429)), Some(2), "openai: 429"),
            (failed("APITimeoutError", true, None), None, "openai: timeout"),
            (failed("overloaded", false, None), None, "openai: overloaded"),
        ] {
            let provider = Some("openai".into());
            let call = ModelCall { provider, error, retries, ..ModelCall::default() };
            let last = ModelCall { provider: Some("other".into()), ..ModelCall::default() };
            let calls = if call.error.is_some() { vec![call, last] } else { vec![last, call] };
            assert_eq!(upstream(&Request { calls, ..request() }).as_deref(), Some(ended));
        }
        assert_eq!(upstream(&Request { calls: Vec::new(), ..request() }), None);
    }
}
