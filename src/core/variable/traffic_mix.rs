//! The slice of traffic a request belongs to.

use serde_json::{Value as Json, json};

use crate::core::request::Request;

/// `class=refund tier=enterprise region=eu language=de`, as far as known.
pub(super) fn value(request: &Request) -> Option<String> {
    let traffic = &request.traffic;
    let mut value = String::new();
    for (name, part) in [
        ("class", &traffic.class),
        ("tier", &traffic.tier),
        ("region", &traffic.region),
        ("language", &traffic.language),
    ]
    .into_iter()
    .filter_map(|(name, part)| Some((name, part.as_deref()?)))
    {
        let gap = if value.is_empty() { "" } else { " " };
        value.extend([gap, name, "=", part]);
    }
    (!value.is_empty()).then_some(value)
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
