//! A simulated incident as an application would export it: OTLP with GenAI semantic conventions.

use std::time::Duration;

use bytes::Bytes;
use freezeframe::core::attribution::dimension::Dimension::{self, *};
use freezeframe::core::time::UnixNanos;
use freezeframe::toolkit::traffic::{attribute, text};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::incident::{Incident, Simulated};
use super::world::VERSIONS;

/// Freshness lags, seconds, by step, and documents found by step.
const LAGS: [i64; 3] = [30, 1_800, 400_000];
const FOUND: [usize; 4] = [0, 2, 4, 8];
const PATHS: [&str; 4] = ["", "get_order", "get_order>search_kb", "search_kb>search_kb>escalate"];

/// A window of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: UnixNanos,
    pub(crate) to: UnixNanos,
}

/// Exports in order of time, with the windows of baseline and incident.
pub(crate) struct Recorded {
    pub(crate) exports: Vec<Bytes>,
    pub(crate) before: Window,
    pub(crate) now: Window,
}

/// Requests of one export.
const BATCH: usize = 256;
/// Length of a good window, and of the incident.
const PART: Duration = Duration::from_secs(600);

/// Records an incident that begins an hour after `from`, one of good traffic.
pub(crate) fn recorded(incident: &Incident, from: UnixNanos) -> Recorded {
    let parts = incident.before.iter().chain([&incident.now]);
    let mut spans = Vec::new();
    let mut number = 0;
    for (part, requests) in (0u32..).zip(parts) {
        let start = from.plus(PART * part);
        for (at, request) in (0u32..).zip(requests) {
            number += 1;
            let begun = start.plus(PART * at / u32::try_from(requests.len()).unwrap_or(u32::MAX));
            spans.push(exchange(number, begun, request));
        }
    }
    let before = Window { from, to: from.plus(PART * u32::try_from(incident.before.len()).unwrap_or(u32::MAX)) };
    let now = Window { from: before.to, to: before.to.plus(PART) };
    let exports = spans.chunks(BATCH).map(|it| export(it.concat())).collect();
    Recorded { exports, before, now }
}

/// The name of a value in the telemetry; `None` where it is told otherwise.
pub(crate) fn name(dimension: Dimension, value: u8) -> String {
    let (owner, version) = (value / VERSIONS, value % VERSIONS);
    match dimension {
        Feature => format!("feature-{value}"),
        RequestClass => format!("class-{value}"),
        Region => format!("region-{value}"),
        Tier => format!("tier-{value}"),
        Language => format!("language-{value}"),
        PromptVersion => format!("f{owner}-v{version}"),
        Model => format!("model-{value}"),
        ModelVersion => format!("model-{owner}-build{version}"),
        Fingerprint => format!("fp-{value}"),
        Route => if value == 0 { "primary" } else { "alternative" }.to_owned(),
        Parameters => format!("temperature={}", parameter(version)),
        JudgeConfig => format!("cfg-{owner}-{version}"),
        IndexVersion => format!("kb{owner}-{version}"),
        IndexAge => ["under 1 min", "15 min to 1 h", "1 to 7 d"][usize::from(value)].to_owned(),
        RetrievalHits => ["none", "1 to 2", "3 to 5", "over 5"][usize::from(value)].to_owned(),
        ToolSchema => format!("tools{owner}.{version}"),
        ToolPath => PATHS[usize::from(value)].to_owned(),
        ToolUsed => format!("tools{owner}.{version}"),
    }
}

fn parameter(version: u8) -> f64 {
    0.25 + f64::from(version)
}

fn exchange(number: u64, at: UnixNanos, request: &Simulated) -> Vec<Span> {
    let value = |dimension: Dimension| request.values[dimension.index()];
    let named = |dimension: Dimension| value(dimension).map(|value| name(dimension, value));
    let mut attributes = vec![text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai")];
    for (key, dimension) in [
        ("gen_ai.workflow.name", Feature),
        ("gen_ai.request.class", RequestClass),
        ("cloud.region", Region),
        ("user.tier", Tier),
        ("user.language", Language),
        ("gen_ai.prompt.version", PromptVersion),
        ("gen_ai.request.model", Model),
        ("gen_ai.response.model", ModelVersion),
        ("gen_ai.routing.slice", Route),
    ] {
        attributes.extend(named(dimension).map(|value| text(key, &value)));
    }
    if let Some(version) = value(Parameters) {
        let value = any_value::Value::DoubleValue(parameter(version % VERSIONS));
        attributes.push(attribute("gen_ai.request.temperature", value));
    }
    let mut chat = span(number, 0, "chat", at, attributes);
    let mut verdict = vec![
        text("gen_ai.evaluation.name", "relevance"),
        text("gen_ai.evaluation.score.label", if request.fails { "fail" } else { "pass" }),
    ];
    verdict.extend(named(JudgeConfig).map(|value| text("gen_ai.evaluation.evaluator.config.hash", &value)));
    chat.events.push(Event {
        time_unix_nano: chat.end_time_unix_nano,
        name: "gen_ai.evaluation.result".into(),
        attributes: verdict,
        dropped_attributes_count: 0,
    });
    let mut spans = Vec::new();
    if let (Some(index), Some(age), Some(hits)) = (named(IndexVersion), value(IndexAge), value(RetrievalHits)) {
        let documents: Vec<_> =
            (0..FOUND[usize::from(hits)]).map(|n| serde_json::json!({"id": n.to_string(), "score": 0.8})).collect();
        let attributes = vec![
            text("gen_ai.operation.name", "retrieval"),
            text("gen_ai.data_source.id", "kb"),
            text("gen_ai.data_source.version", &index),
            attribute("gen_ai.retrieval.freshness.lag", any_value::Value::IntValue(LAGS[usize::from(age)])),
            text("gen_ai.retrieval.documents", &serde_json::Value::from(documents).to_string()),
        ];
        spans.push(span(number, 1, "retrieval kb", at, attributes));
    }
    if let Some(schema) = named(ToolSchema) {
        chat.attributes.push(text("gen_ai.tool.version", &schema));
        let path = PATHS[usize::from(value(ToolPath).unwrap_or_default())];
        for (n, tool) in (2..).zip(path.split('>').filter(|it| !it.is_empty())) {
            let attributes = vec![
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.tool.name", tool),
                text("gen_ai.tool.version", &schema),
            ];
            spans.push(span(number, n, "execute_tool", at, attributes));
        }
    }
    spans.push(chat);
    spans
}

fn export(spans: Vec<Span>) -> Bytes {
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// The chat is the root; everything else is its child, one after the other.
fn span(number: u64, index: u64, name: &str, at: UnixNanos, attributes: Vec<KeyValue>) -> Span {
    let id = |index: u64| (number << 4 | index | 1 << 63).to_be_bytes().to_vec();
    Span {
        trace_id: (u128::from(at.0) << 64 | u128::from(number)).to_be_bytes().to_vec(),
        span_id: id(index),
        parent_span_id: if index == 0 { Vec::new() } else { id(0) },
        name: name.into(),
        start_time_unix_nano: at.plus(Duration::from_millis(20 * index)).0,
        end_time_unix_nano: at.plus(Duration::from_millis(if index == 0 { 900 } else { 20 * index + 10 })).0,
        attributes,
        ..Span::default()
    }
}
