//! The slice of traffic a request belongs to.

use serde_json::{Value as Json, json};

use crate::core::request::Request;

/// `class=refund tier=enterprise region=eu language=de`, as far as known.
pub(super) fn value(request: &Request) -> Option<String> {
    let traffic = &request.traffic;
    let parts: Vec<String> = [
        ("class", &traffic.class),
        ("tier", &traffic.tier),
        ("region", &traffic.region),
        ("language", &traffic.language),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")))
    .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

pub(super) fn detail(request: &Request) -> Json {
    let traffic = &request.traffic;
    json!({
        "class": traffic.class,
        "tier": traffic.tier,
        "region": traffic.region,
        "language": traffic.language,
    })
}

pub(super) fn instrument() -> &'static str {
    "no request class was reported: set gen_ai.request.class, and app.tier, cloud.region and app.language where they apply"
}
