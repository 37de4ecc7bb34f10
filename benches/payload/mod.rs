//! Exports as an SDK sends them, for benches: LLM spans of 25 attributes, about 1 KB, and the same with their messages,
//! about 8 KB; and requests of four spans with content.

use bytes::Bytes;
use freezeframe::core::time::UnixNanos;
use freezeframe::toolkit::traffic::Exchange;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use serde_json::json;

/// Features that calls belong to; fewer than the default cap.
const FEATURES: i64 = 30;

/// A kind of export.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    /// LLM spans without messages, 512 an export, the batch processors' default.
    Meta,
    /// LLM spans with messages, half as many, or bodies would pass 4 MiB.
    Content,
    /// 128 requests of four spans.
    Rag,
}

impl Payload {
    pub(crate) const ALL: [Self; 3] = [Self::Meta, Self::Content, Self::Rag];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Content => "content",
            Self::Rag => "rag",
        }
    }

    /// Spans in an export.
    pub(crate) fn spans(self) -> u64 {
        match self {
            Self::Meta | Self::Rag => 512,
            Self::Content => 256,
        }
    }

    /// The export number `n`, which shares no trace with any other, of calls that ended at `now`.
    pub(crate) fn export(self, n: u64, now: UnixNanos) -> Bytes {
        let first = n * self.spans();
        match self {
            Self::Meta => request(first, self.spans(), false, now),
            Self::Content => request(first, self.spans(), true, now),
            Self::Rag => {
                let exchanges = (first..first + self.spans() / 4).map(|n| Exchange::healthy(n, now).export());
                // Protobuf messages that follow each other are one message.
                exchanges.collect::<Vec<_>>().concat().into()
            }
        }
    }
}

/// One resource, one scope and so many spans, each a trace of its own, numbered from `first`.
fn request(first: u64, spans: u64, content: bool, now: UnixNanos) -> Bytes {
    let resource = ["service.name", "service.version", "telemetry.sdk.language", "host.name"];
    let resource_spans = ResourceSpans {
        resource: Some(Resource {
            attributes: resource.map(|key| text(key, "shop-assistant")).into(),
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "openinference.instrumentation.openai".to_owned(),
                version: "0.1.30".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans: (first..first + spans).map(|n| span(n, content, now)).collect(),
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec().into()
}

fn span(n: u64, content: bool, now: UnixNanos) -> Span {
    Span {
        trace_id: u128::from(n + 1).to_be_bytes().into(),
        span_id: (n + 1).to_be_bytes().into(),
        name: "chat gpt-4o-mini".to_owned(),
        kind: 3,
        start_time_unix_nano: now.0 - 734_211_000,
        end_time_unix_nano: now.0,
        attributes: if content { [metadata(n), messages()].concat() } else { metadata(n) },
        status: Some(Status { code: 1, ..Status::default() }),
        flags: 0x101,
        ..Span::default()
    }
}

/// The 25 attributes of an LLM call, as the semantic conventions and a vendor or two name them.
fn metadata(n: u64) -> Vec<KeyValue> {
    let response_id = format!("chatcmpl-{n:032x}");
    let n = (n % 1000).cast_signed();
    let finish_reasons = ArrayValue { values: vec![AnyValue { value: Some(Any::StringValue("stop".to_owned())) }] };
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o-mini"),
        text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        text("gen_ai.response.id", &response_id),
        attribute("gen_ai.response.finish_reasons", Any::ArrayValue(finish_reasons)),
        attribute("gen_ai.request.temperature", Any::DoubleValue(0.2)),
        attribute("gen_ai.request.top_p", Any::DoubleValue(0.95)),
        attribute("gen_ai.request.max_tokens", Any::IntValue(1024)),
        attribute("gen_ai.request.seed", Any::IntValue(n)),
        attribute("gen_ai.usage.input_tokens", Any::IntValue(1200 + n)),
        attribute("gen_ai.usage.output_tokens", Any::IntValue(180 + n)),
        attribute("gen_ai.usage.cache_read.input_tokens", Any::IntValue(1024)),
        text("gen_ai.conversation.id", "conv-5f0c2b4e-1a77-4a55-9a44-0d6b1f2c8e31"),
        text("gen_ai.output.type", "text"),
        text("server.address", "api.openai.com"),
        attribute("server.port", Any::IntValue(443)),
        text("openai.api.type", "chat_completions"),
        text("openai.response.service_tier", "default"),
        text("openai.response.system_fingerprint", "fp_44add55e8f"),
        text("app.feature", &format!("answers/returns-{:03}", n % FEATURES)),
        text("app.prompt.version", "support-answer@17"),
        text("enduser.id", "u-8842013377"),
        attribute("llm.is_streaming", Any::BoolValue(true)),
        attribute("gen_ai.usage.cost", Any::DoubleValue(0.000_412)),
    ]
}

/// The messages that make a span eight times as long. Like those of an application: the same system part and tools on
/// every call.
fn messages() -> Vec<KeyValue> {
    let prose = |bytes: usize| "the parcel of order 4711 left on 2026-11-03, ".repeat(bytes / 44);
    let said = |role: &str, bytes| json!({ "role": role, "parts": [{ "type": "text", "content": prose(bytes) }] });
    let tool = |name: &str| {
        let query = json!({ "type": "string", "description": prose(60) });
        let parameters = json!({ "type": "object", "properties": { "query": query }, "required": ["query"] });
        json!({ "type": "function", "name": name, "description": prose(130), "parameters": parameters })
    };
    vec![
        text("gen_ai.system_instructions", &json!([{ "type": "text", "content": prose(900) }]).to_string()),
        text(
            "gen_ai.input.messages",
            &json!([said("user", 1100), said("assistant", 1100), said("user", 1100)]).to_string(),
        ),
        text("gen_ai.output.messages", &json!([said("assistant", 1100)]).to_string()),
        text("gen_ai.tool.definitions", &json!(["find", "track", "refund", "escalate"].map(tool)).to_string()),
    ]
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
