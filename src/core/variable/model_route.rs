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

pub(super) fn instrument() -> &'static str {
    "the instrumentation reports no model: set gen_ai.request.model and gen_ai.response.model, and gen_ai.routing.slice \
     where a router chooses"
}
