//! The configuration the program runs on: plain values, compiled and checked once from the file the user wrote.
//!
//! ```text
//! text --yaml--> tree --env--> tree --read (fields)--> Draft --compile--> Config
//! ```
//!
//! One table, `fields`, says which fields there are; reading, `print-config`, the reference page and the annotated
//! default file all walk it, so none of them can know a field that another does not. There are no serde types of the
//! file on purpose: serde stops at the first mistake, and we owe the user all of them with their places.

mod breakers;
mod built_in;
mod compile;
mod defaults;
pub mod env;
mod error;
mod fields;
mod judges;
mod load;
mod memory;
mod named;
pub mod reference;
mod reload;
mod rules;
mod slot;
mod units;
mod witness;
mod yaml;

pub use error::{ConfigErrors, Place, Problem, Warning};
pub use load::{Outside, Source, load, load_from};
pub use units::parse_duration;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::core::cosignature::WitnessKey;
use crate::core::detect::Rule;
use crate::core::incident::Class;
use crate::core::note::VerifierKey;
use crate::core::price::Table;
use crate::core::{assembly, breaker, dialect, golden, redact, sampling, window};

/// Everything the sidecar can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// OTLP in.
    pub receiver: Receiver,
    /// OTLP out; `None` forwards nothing.
    pub exporter: Option<Exporter>,
    /// Metrics, API, OFREP, log.
    pub admin: Admin,
    /// Bind address of the probes.
    pub health: String,
    /// Where evidence lives.
    pub data_dir: PathBuf,
    /// Feature key.
    pub features: Features,
    /// Attribute keys of the user's own, by the field they set, in order of precedence.
    pub fields: Vec<(dialect::Field, String)>,
    /// Trace assembly.
    pub assembly: assembly::Limits,
    /// Windows and baseline.
    pub windows: window::Policy,
    /// Requests of one feature kept for frames (the flight recorder).
    pub records_max: usize,
    /// Rows kept for attribution, of all features together.
    pub rows_max: usize,
    /// Memory the engine may hold, bytes; checked against all limits above when compiled.
    pub memory_bytes_max: u64,
    /// Alert rules.
    pub rules: Vec<Arc<Rule>>,
    /// What every alert carries.
    pub alerting: Alerting,
    /// Features whose breakers may be open at once.
    pub breakers_open_max: breaker::Cap,
    /// Breakers by class.
    pub breakers: Vec<Breaker>,
    /// Alertmanagers to push to; `None` pushes nothing.
    pub alertmanager: Option<Alertmanager>,
    /// Prices of model calls.
    pub cost: Cost,
    /// Models that judge production's answers.
    pub judges: Vec<Judge>,
    /// Redaction.
    pub redaction: Redaction,
    /// The log.
    pub evidence: Evidence,
    /// Own logs and traces.
    pub telemetry: Telemetry,
    /// One deadline for the whole drain.
    pub shutdown_timeout: Duration,
}

impl Config {
    /// SHA-256 of the effective configuration with secrets masked, lowercase hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        crate::core::canonical::sha256_hex(reference::effective(self).as_bytes())
    }
}

/// OTLP receivers.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Bind address of OTLP/gRPC.
    pub grpc: String,
    /// Bind address of OTLP/HTTP.
    pub http: String,
    /// Size of one request after decompression, bytes.
    pub request_bytes_max: usize,
    /// Requests being worked on at once, over both receivers.
    pub in_flight_max: usize,
    /// The retry hint of a refusal.
    pub retry_after: Duration,
    /// Scores taken by REST.
    pub scores: Scores,
}

/// Whose scores are taken by REST on the OTLP/HTTP listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// `POST /api/public/scores` and `/api/public/ingestion`.
    pub langfuse: bool,
    /// `POST /feedback`
    pub langsmith: bool,
}

/// The next OTLP hop.
#[derive(Clone, Debug, PartialEq)]
pub struct Exporter {
    /// `http://host:4317` for gRPC, `http://host:4318` for HTTP (`/v1/traces` and so on are added).
    pub endpoint: String,
    /// Transport.
    pub protocol: Protocol,
    /// Headers sent with every request.
    pub headers: Vec<(String, Secret)>,
    /// TLS settings for an `https` endpoint.
    pub tls: Tls,
    /// Whether to gzip.
    pub gzip: bool,
    /// Bound of one attempt.
    pub timeout: Duration,
    /// Requests held for the next hop at most.
    pub queue_requests_max: usize,
    /// Bytes held for the next hop at most.
    pub queue_bytes_max: usize,
    /// Attempts in parallel.
    pub concurrency: usize,
    /// Backoff.
    pub retry: Retry,
}

/// OTLP transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC
    Grpc,
    /// OTLP/HTTP with protobuf bodies
    Http,
}

/// TLS of a client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// PEM file of the roots to trust; the built-in Mozilla roots when `None`.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the client key.
    pub key_file: Option<PathBuf>,
    /// Name to verify instead of the endpoint's host.
    pub server_name: Option<String>,
}

/// Exponential backoff with jitter (names of the Collector's `retry_on_failure`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// First pause.
    pub initial_interval: Duration,
    /// Longest pause.
    pub max_interval: Duration,
    /// After this the request is dropped and counted.
    pub max_elapsed_time: Duration,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Bind address.
    pub endpoint: String,
    /// Bearer token; required off loopback.
    pub token: Option<Secret>,
    /// How others reach it, for `frame_url`; the bound address when `None`.
    pub external_url: Option<String>,
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(MASK)
    }
}

/// What stands where a secret would.
const MASK: &str = "[REDACTED]";

/// How requests are grouped.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Attribute keys in order of precedence; span name of the root and `service.name` come after them.
    pub keys: Vec<String>,
    /// Features at most; later ones fall under `_other`.
    pub max: usize,
}

/// One class's breakers.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// Class.
    pub class: Class,
    /// Policy.
    pub policy: breaker::Policy,
    /// What it is for.
    pub plan: Arc<breaker::Plan>,
}

/// What every alert carries, whoever delivers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerting {
    /// Whether alerts of drills go out as any others: to Alertmanager and into the metrics that rules read.
    pub drills: bool,
    /// Base of `runbook_url`: `/`, the alert's name and `.md` are added. `None` leaves the annotation out.
    pub runbook_url_base: Option<String>,
}

/// Direct push to Alertmanager.
#[derive(Clone, Debug, PartialEq)]
pub struct Alertmanager {
    /// Base URLs, every replica.
    pub urls: Vec<String>,
    /// Bearer token.
    pub token: Option<Secret>,
    /// Interval at which firing alerts are sent again.
    pub resend_interval: Duration,
    /// How long resolved alerts are sent again.
    pub resolved_for: Duration,
    /// Bound of one attempt.
    pub timeout: Duration,
    /// Whether alerts of drills are sent, too.
    pub drills: bool,
    /// Labels added to every alert.
    pub labels: Vec<(String, String)>,
}

/// A model that is asked what it thinks of answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    /// Its name, and its metric's.
    pub name: String,
    /// Base URL of an API like OpenAI's.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// Key of the endpoint.
    pub api_key: Option<Secret>,
    /// Whether the key may go over plain http to another machine.
    pub insecure: bool,
    /// What makes a good answer.
    pub rubric: String,
    /// What people call this configuration.
    pub version: Option<String>,
    /// Scores from here on pass.
    pub threshold: f64,
    /// Sampling temperature; `None` sends none.
    pub temperature: Option<f64>,
    /// Features it judges, as globs; empty for all.
    pub features: Vec<String>,
    /// Which requests.
    pub sample: sampling::Settings,
    /// Bound of one attempt.
    pub timeout: Duration,
    /// Answers with human labels that it is scored on.
    pub golden: Option<Golden>,
}

/// A golden set and when it is scored.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Where it was read.
    pub path: PathBuf,
    /// How often it is scored.
    pub every: Duration,
    /// What was in it.
    pub set: Arc<golden::Set>,
}

/// Judges at most.
pub const JUDGES_MAX: usize = 16;

/// Requests that wait for one judge; half of the places are for those chosen at random.
pub const JUDGE_QUEUE_MAX: usize = 32;

/// Requests that one judge is asked about at once.
pub const JUDGE_CALLS_MAX: usize = 4;

/// What is taken out before anything is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Redaction {
    /// Whether it runs.
    pub enabled: bool,
    /// What is taken out and what is not; the user's rules among it.
    pub settings: redact::Settings,
    /// Where those rules were read.
    pub gitleaks_file: Option<PathBuf>,
    /// Whether placeholders carry keyed digests.
    pub is_hashed: bool,
    /// The key of the digests.
    pub hmac_key: Option<Secret>,
}

impl Redaction {
    /// The key of pseudonyms, when they are wanted.
    #[must_use]
    pub fn pseudonym_key(&self) -> Option<redact::PseudonymKey> {
        let key = self.hmac_key.as_ref().filter(|_| self.is_hashed)?;
        Some(redact::PseudonymKey::new(key.0.as_bytes()))
    }
}

/// What calls cost whose telemetry does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Whether prices are looked up; reported costs count either way.
    pub enabled: bool,
    /// File of own prices.
    pub prices_file: Option<PathBuf>,
    /// What was in it.
    pub prices: Option<Arc<Table>>,
}

/// The transparency log.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// First part of the log's origin; a volume id is added.
    pub origin: String,
    /// File with the 32-byte Ed25519 seed; made in the data directory when `None`.
    pub key_file: Option<PathBuf>,
    /// File with the seed of the key that [`Self::key_file`] replaces, while both sign.
    pub previous_key_file: Option<PathBuf>,
    /// How long an alert waits for its frame before it goes out without.
    pub commit_timeout: Duration,
    /// What is kept for how long.
    pub retention: Retention,
    /// Witnesses asked to cosign this log.
    pub witnesses: Vec<Witness>,
    /// Keys of the logs this sidecar is a witness of; none, and it is no witness.
    pub witnessed_logs: Vec<VerifierKey>,
}

/// How long frames are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Frames older than this go; zero keeps them.
    pub age: Duration,
    /// Beyond this many bytes on disk the oldest frames go; zero keeps them.
    pub bytes_max: u64,
    /// A log that is silent this long says that it is alive.
    pub heartbeat: Duration,
}

/// A C2SP witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its submission prefix: `/add-checkpoint` is added.
    pub url: String,
    /// Its key.
    pub key: WitnessKey,
}

/// Witnesses of one log at most.
pub const WITNESSES_MAX: usize = 16;

/// Logs of one witness at most.
pub const WITNESSED_LOGS_MAX: usize = 64;

/// Own logs and traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// `info`, `freezeframe=debug`, ...
    pub log_filter: String,
    /// JSON lines instead of text.
    pub log_json: bool,
    /// OTLP/gRPC endpoint for own traces; `None` sends none.
    pub traces_endpoint: Option<String>,
}
