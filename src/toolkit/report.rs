//! What `freezeframe record` tells the sidecar: one thing about one variable, or what a user said of an answer, as OTLP
//! log records that anybody else could send as well. The names are those of `docs/telemetry-contract.md`.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::core::time::UnixNanos;

/// The attribute that names the feature, under any configuration.
pub const FEATURE: &str = "freezeframe.feature";

/// One report.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The event's name: of a declaration ([`crate::core::declared::Subject::event_name`]) or of a verdict.
    pub event_name: &'static str,
    /// When it is true.
    pub at: UnixNanos,
    /// Who reports it: `service.name`.
    pub source: String,
    /// The features it is about; empty for every feature.
    pub features: Vec<String>,
    /// The trace and span it is about; empty for none.
    pub trace_id: Vec<u8>,
    /// See `trace_id`.
    pub span_id: Vec<u8>,
    /// What it says.
    pub attributes: Vec<(&'static str, Said)>,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Names, versions, times (RFC 3339), JSON.
    Text(String),
    /// Scores, seconds.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

impl Report {
    /// The export request: one record a feature, or one for all.
    #[must_use]
    pub fn export(&self) -> ExportLogsServiceRequest {
        let features: Vec<Option<&str>> = match self.features.as_slice() {
            [] => vec![None],
            features => features.iter().map(|it| Some(it.as_str())).collect(),
        };
        let scope = InstrumentationScope {
            name: "freezeframe".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..InstrumentationScope::default()
        };
        let scope_logs = ScopeLogs {
            scope: Some(scope),
            log_records: features.into_iter().map(|feature| self.record(feature)).collect(),
            ..ScopeLogs::default()
        };
        let source = attribute("service.name", &Said::Text(self.source.clone()));
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(Resource { attributes: vec![source], ..Resource::default() }),
                scope_logs: vec![scope_logs],
                ..ResourceLogs::default()
            }],
        }
    }

    fn record(&self, feature: Option<&str>) -> LogRecord {
        let feature = feature.map(|name| attribute(FEATURE, &Said::Text(name.to_owned())));
        let said = self.attributes.iter().map(|(key, value)| attribute(key, value));
        LogRecord {
            time_unix_nano: self.at.0,
            observed_time_unix_nano: self.at.0,
            severity_number: SeverityNumber::Info.into(),
            attributes: feature.into_iter().chain(said).collect(),
            trace_id: self.trace_id.clone(),
            span_id: self.span_id.clone(),
            event_name: self.event_name.into(),
            ..LogRecord::default()
        }
    }
}

fn attribute(key: &str, said: &Said) -> KeyValue {
    let value = match said {
        Said::Text(text) => any_value::Value::StringValue(text.clone()),
        Said::Number(number) => any_value::Value::DoubleValue(*number),
        Said::Flag(flag) => any_value::Value::BoolValue(*flag),
    };
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}
