//! Synthetic traffic of a support bot with retrieval, as its SDK would export it: OTLP bytes with GenAI semantic
//! conventions. For drills and benches; nothing here is read back as a measurement of anything real.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::core::time::UnixNanos;

/// One request to the bot and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Makes the trace id; unique in a run.
    pub number: u64,
    /// When the user asked.
    pub started_at: UnixNanos,
    /// How long the answer took.
    pub latency: Duration,
    /// The drill that sends it; `None` outside of one.
    pub drill: Option<Arc<str>>,
    /// Class of the request.
    pub class: &'static str,
    /// What the user asked.
    pub question: &'static str,
    /// Template version of the prompt.
    pub prompt_version: &'static str,
    /// Model that answered.
    pub model: &'static str,
    /// Version of the index.
    pub index_version: &'static str,
    /// How far the index lags behind its source.
    pub freshness_lag: Duration,
    /// Text of the first document, when content is captured.
    pub document: &'static str,
    /// Scores of the documents that were found.
    pub documents: &'static [f64],
    /// Score of the relevance judge; 0.5 and more passes.
    pub relevance: f64,
    /// Version of that judge.
    pub judge_version: &'static str,
    /// Contract of the order tool, JSON Schema.
    pub tool_parameters: &'static str,
    /// Type and message of the error that the order tool gave.
    pub tool_failure: Option<(&'static str, &'static str)>,
    /// Type and message of the error that the provider gave instead of an answer.
    pub failure: Option<(&'static str, &'static str)>,
    /// Output tokens.
    pub output_tokens: i64,
    /// What the bot answered.
    pub answer: &'static str,
}

impl Exchange {
    /// A request that goes well: 1.2 s and a bit, three documents, a good answer.
    #[must_use]
    pub fn healthy(number: u64, started_at: UnixNanos) -> Self {
        Self {
            number,
            started_at,
            latency: Duration::from_millis(1_200 + 60 * (number % 10)),
            drill: None,
            class: if number.is_multiple_of(3) { "refund" } else { "order_status" },
            question: "Where is my order?",
            prompt_version: "v40",
            model: "gpt-4o-mini-2024-07-18",
            index_version: "2026-11-20",
            freshness_lag: Duration::from_secs(3_600),
            document: "Orders leave the warehouse within a day and arrive within three.",
            documents: &[0.91, 0.83, 0.74],
            relevance: 0.9,
            judge_version: "3",
            tool_parameters: r#"{"type":"object","properties":{"id":{"type":"string"}}}"#,
            tool_failure: None,
            failure: None,
            output_tokens: 180,
            answer: "It left our warehouse today.",
        }
    }

    /// When the answer was there.
    #[must_use]
    pub fn ended_at(&self) -> UnixNanos {
        self.started_at.plus(self.latency)
    }

    /// The export request an SDK would send.
    #[must_use]
    pub fn export(&self) -> Bytes {
        let spans = vec![self.root(), self.retrieval(), self.tool(), self.chat()];
        let drill = self.drill.iter().map(|id| text("freezeframe.drill", id));
        let attributes = drill.chain([text("service.name", "support-bot")]).collect();
        let resource = Resource { attributes, ..Resource::default() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
                schema_url: String::new(),
            }],
        };
        request.encode_to_vec().into()
    }

    fn root(&self) -> Span {
        let attributes = vec![
            text("http.route", "/support"),
            text("gen_ai.request.class", self.class),
            text("session.id", &format!("session-{}", self.number)),
        ];
        failed(self.span(0, "POST /support", 0.0, 1.0, attributes), self.failure)
    }

    fn retrieval(&self) -> Span {
        let documents: Vec<serde_json::Value> = (1..)
            .zip(self.documents)
            .map(|(n, score)| match n {
                1 => serde_json::json!({ "id": "doc-1", "score": score, "content": self.document }),
                _ => serde_json::json!({ "id": format!("doc-{n}"), "score": score }),
            })
            .collect();
        let attributes = vec![
            text("gen_ai.operation.name", "retrieval"),
            text("gen_ai.data_source.id", "kb"),
            text("gen_ai.data_source.version", self.index_version),
            number("gen_ai.retrieval.freshness.lag", i64::try_from(self.freshness_lag.as_secs()).unwrap_or(i64::MAX)),
            text("gen_ai.retrieval.documents", &serde_json::Value::from(documents).to_string()),
        ];
        self.span(1, "retrieval kb", 0.02, 0.1, attributes)
    }

    fn tool(&self) -> Span {
        let attributes = vec![text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", "get_order")];
        failed(self.span(2, "execute_tool get_order", 0.1, 0.2, attributes), self.tool_failure)
    }

    fn chat(&self) -> Span {
        let tools = format!(r#"[{{"type":"function","name":"get_order","parameters":{}}}]"#, self.tool_parameters);
        let system =
            format!("You are the support assistant of Acme. Answer from the documents only. ({})", self.prompt_version);
        let messages = serde_json::json!([
            { "role": "system", "parts": [{ "type": "text", "content": system }] },
            { "role": "user", "parts": [{ "type": "text", "content": self.question }] },
        ]);
        let answer = serde_json::json!([
            { "role": "assistant", "parts": [{ "type": "text", "content": self.answer }], "finish_reason": "stop" },
        ]);
        let asked = vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o-mini"),
            text("gen_ai.prompt.name", "support-answer"),
            text("gen_ai.prompt.version", self.prompt_version),
            text("gen_ai.tool.definitions", &tools),
            text("gen_ai.input.messages", &messages.to_string()),
        ];
        let mut span = failed(self.span(3, "chat gpt-4o-mini", 0.2, 0.98, asked), self.failure);
        if self.failure.is_some() {
            return span;
        }
        span.attributes.extend([
            text("gen_ai.response.model", self.model),
            text("gen_ai.response.id", &format!("chatcmpl-{}", self.number)),
            list("gen_ai.response.finish_reasons", "stop"),
            number("gen_ai.usage.input_tokens", 640),
            number("gen_ai.usage.output_tokens", self.output_tokens),
            text("gen_ai.output.messages", &answer.to_string()),
        ]);
        span.events.push(Event {
            time_unix_nano: span.end_time_unix_nano,
            name: "gen_ai.evaluation.result".into(),
            attributes: vec![
                text("gen_ai.evaluation.name", "relevance"),
                double("gen_ai.evaluation.score.value", self.relevance),
                text("gen_ai.evaluation.score.label", if self.relevance >= 0.5 { "pass" } else { "fail" }),
                text("gen_ai.evaluation.evaluator.id", "relevance-judge"),
                text("gen_ai.evaluation.evaluator.model", "gpt-4o"),
                text("gen_ai.evaluation.evaluator.version", self.judge_version),
            ],
            dropped_attributes_count: 0,
        });
        span
    }

    /// Span `index` of the trace, from and to the given parts of the request's latency.
    fn span(&self, index: u64, name: &str, from: f64, to: f64, attributes: Vec<KeyValue>) -> Span {
        let id = |index: u64| (self.number << 3 | index | 1 << 63).to_be_bytes().to_vec();
        Span {
            trace_id: (u128::from(self.started_at.0) << 64 | u128::from(self.number)).to_be_bytes().to_vec(),
            span_id: id(index),
            parent_span_id: if index == 0 { Vec::new() } else { id(0) },
            name: name.into(),
            start_time_unix_nano: self.started_at.plus(self.latency.mul_f64(from)).0,
            end_time_unix_nano: self.started_at.plus(self.latency.mul_f64(to)).0,
            attributes,
            ..Span::default()
        }
    }
}

/// The span as its error leaves it.
fn failed(mut span: Span, failure: Option<(&str, &str)>) -> Span {
    if let Some((kind, message)) = failure {
        span.attributes.push(text("error.type", kind));
        span.status = Some(Status { message: message.into(), code: 2 });
    }
    span
}

/// An attribute.
#[must_use]
pub fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// An attribute that is a text.
#[must_use]
pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, any_value::Value::DoubleValue(value))
}

fn list(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.into())) };
    attribute(key, any_value::Value::ArrayValue(ArrayValue { values: vec![value] }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Source};
    use crate::core::assembly::{Added, Assembly, Closed};
    use crate::engine::normaliser;
    use crate::otlp::Traces;

    /// Proves that the synthetic traffic says what its fields say, by the same road as real telemetry.
    #[test]
    fn an_exchange_arrives_as_one_request() {
        let (config, _) = config::load(&Source::Default, &|_| None).unwrap();
        let exchange = Exchange::healthy(7, UnixNanos(1_795_300_000_000_000_000));
        let traces = Traces::parse(exchange.export()).unwrap();
        let mut assembly = Assembly::new(config.assembly, normaliser(&config));
        for (resource, scope, span) in traces.spans() {
            let added = assembly.span(exchange.ended_at(), &resource, scope, &span);
            assert!(!matches!(added, Added::Rejected(_)), "{added:?}");
        }
        let closed = assembly.close_all(exchange.ended_at());
        let [Closed::Request(request)] = closed.as_slice() else { panic!("one request expected: {closed:?}") };
        assert_eq!(&*request.feature, "/support");
        assert_eq!((request.calls.len(), request.tools.len(), request.retrievals.len()), (1, 1, 1));
        assert_eq!(request.evaluations.len(), 1);
        assert_eq!(request.retrievals[0].documents.as_ref().map(Vec::len), Some(3));
        assert_eq!(request.latency, exchange.latency);
        assert_eq!(request.prompt.version.as_deref(), Some("v40"));
    }
}
