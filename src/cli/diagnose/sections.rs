//! What the telemetry of one request tells, a table each.

use std::time::Duration;

use super::Section;
use crate::core::completeness;
use crate::core::request::{Failure, Request};
use crate::core::variable::hex;

/// All of them.
pub(super) fn of(request: &Request) -> [Section; 7] {
    [
        identity(request),
        calls(request),
        retrievals(request),
        documents(request),
        tools(request),
        judged(request),
        missing(request),
    ]
}

fn identity(request: &Request) -> Section {
    let prompt = &request.prompt;
    let components: Vec<String> = prompt.components.iter().map(|(name, version)| format!("{name}@{version}")).collect();
    let rows = [
        ("trace id", request.trace_id.to_string()),
        ("feature", request.feature.to_string()),
        ("session", text(&request.session_id)),
        ("user", text(&request.user_id)),
        ("request id", text(&request.request_id)),
        ("started at", request.started_at.to_string()),
        ("operation", text(&request.operation)),
        ("outcome", request.outcome.as_str().to_owned()),
        ("error", failure(request.error.as_ref())),
        ("latency ms", millis(request.latency)),
        ("prompt name", text(&prompt.name)),
        ("prompt version", text(&prompt.version)),
        ("prompt sha256", prompt.sha256.map_or_else(nothing, |digest| hex(&digest))),
        ("prompt components", if components.is_empty() { nothing() } else { components.join(" ") }),
        ("system prompt", text(&prompt.system)),
        ("user query", text(&request.user_query)),
        ("response", text(&request.response)),
        ("tool path", text(&request.tool_path)),
        ("dialects", request.dialects.join(" ")),
        ("spans", request.spans.to_string()),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    Section { title: "Identity", header: &["field", "value"], rows }
}

fn calls(request: &Request) -> Section {
    let rows = request.calls.iter().map(|call| {
        vec![
            text(&call.provider),
            text(&call.model_requested),
            text(&call.model_served),
            millis(call.started_at.since(request.started_at)),
            millis(call.duration),
            call.time_to_first_token.map_or_else(nothing, millis),
            or_nothing(call.input_tokens),
            or_nothing(call.cached_input_tokens),
            or_nothing(call.output_tokens),
            or_nothing(call.retries),
            call.finish_reason.map_or_else(nothing, |reason| reason.as_str().to_owned()),
            failure(call.error.as_ref()),
        ]
    });
    let header = &[
        "provider",
        "asked for",
        "model",
        "at ms",
        "latency ms",
        "ttft ms",
        "input",
        "cached",
        "output",
        "retries",
        "finish",
        "error",
    ];
    Section { title: "Model calls", header, rows: rows.collect() }
}

fn retrievals(request: &Request) -> Section {
    let rows = request.retrievals.iter().map(|it| {
        vec![
            text(&it.index),
            text(&it.index_version),
            text(&it.embedding_model),
            or_nothing(it.freshness_lag.map(|lag| lag.as_secs())),
            millis(it.duration),
            or_nothing(it.documents.as_ref().map(Vec::len)),
            failure(it.error.as_ref()),
        ]
    });
    let header = &["index", "version", "embedding", "freshness lag s", "latency ms", "documents", "error"];
    Section { title: "Retrievals", header, rows: rows.collect() }
}

fn documents(request: &Request) -> Section {
    let rows = request.retrievals.iter().enumerate().flat_map(|(retrieval, it)| {
        it.documents.iter().flatten().enumerate().map(move |(rank, document)| {
            vec![
                (retrieval + 1).to_string(),
                (rank + 1).to_string(),
                text(&document.id),
                or_nothing(document.score),
                or_nothing(document.updated_at),
                text(&document.content),
            ]
        })
    });
    let header = &["retrieval", "rank", "id", "score", "updated at", "content"];
    Section { title: "Documents", header, rows: rows.collect() }
}

fn tools(request: &Request) -> Section {
    let rows = request.tools.iter().map(|tool| {
        let offered = request.tools_offered.iter().find(|it| it.name == tool.name);
        vec![
            tool.name.to_string(),
            text(&tool.version),
            offered.map_or_else(nothing, |it| hex(&it.sha256)[..12].to_owned()),
            tool.duration.map_or_else(nothing, millis),
            failure(tool.error.as_ref()),
            text(&tool.arguments),
            text(&tool.result),
        ]
    });
    let header = &["tool", "version", "schema sha256", "latency ms", "error", "arguments", "result"];
    Section { title: "Tools", header, rows: rows.collect() }
}

fn judged(request: &Request) -> Section {
    let evaluations = request.evaluations.iter().map(|it| {
        vec![
            it.metric.to_string(),
            or_nothing(it.score),
            text(&it.label),
            or_nothing(it.passed),
            text(&it.judge.model),
            text(&it.judge.version),
            failure(it.error.as_ref()),
        ]
    });
    let feedback = request.feedback.iter().map(|it| {
        let comment = text(&it.comment);
        vec![
            "feedback".to_owned(),
            or_nothing(it.score),
            comment,
            or_nothing(it.positive),
            nothing(),
            nothing(),
            nothing(),
        ]
    });
    let header = &["metric", "score", "label", "passed", "judge", "version", "error"];
    Section { title: "Evaluations", header, rows: evaluations.chain(feedback).collect() }
}

fn missing(request: &Request) -> Section {
    let dialect = completeness::dialect(request);
    let closes = |field: &str| completeness::remedy(dialect, field).to_owned();
    let rows = completeness::missing(request).into_iter().map(|field| vec![field.to_owned(), closes(field)]);
    Section { title: "Missing telemetry", header: &["field", "what closes the gap"], rows: rows.collect() }
}

fn nothing() -> String {
    "-".to_owned()
}

fn text(text: &Option<Box<str>>) -> String {
    text.as_deref().map_or_else(nothing, str::to_owned)
}

fn or_nothing(value: Option<impl ToString>) -> String {
    value.map_or_else(nothing, |it| it.to_string())
}

fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}

fn failure(failure: Option<&Failure>) -> String {
    failure.map_or_else(nothing, |it| match (&*it.kind, &*it.message) {
        (kind, "") => kind.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    })
}
