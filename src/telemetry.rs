//! Freezeframe's own logs (stderr) and, when configured, its own traces through opentelemetry-otlp: a span each for
//! what is rare and matters (a frame's append, a push to Alertmanager, a reload), none for what it receives.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::Telemetry;

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Why own telemetry can't start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log filter is not one.
    #[error("telemetry.log_filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter of own traces can't be built.
    #[error("telemetry.traces_endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A subscriber is there already.
    #[error("{0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging to stderr and, when an endpoint is configured, exporting own spans. Call within a tokio runtime.
///
/// # Errors
/// See [`TelemetryError`].
pub fn init(settings: &Telemetry) -> Result<(), TelemetryError> {
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let lines = if settings.log_json { lines.json().boxed() } else { lines.boxed() };
    let filter = EnvFilter::try_new(&settings.log_filter)?;
    let traces = settings.traces_endpoint.as_deref().map(provider).transpose()?.map(|provider| {
        let tracer = provider.tracer("freezeframe");
        // Only the first provider of the process is flushed at the end; `TryInitError` refuses a second one.
        drop(PROVIDER.set(provider));
        tracing_opentelemetry::layer().with_tracer(tracer)
    });
    tracing_subscriber::registry().with(filter).with(traces).with(lines).try_init()?;
    Ok(())
}

/// Flushes own spans.
pub fn shutdown() {
    if let Some(Err(error)) = PROVIDER.get().map(SdkTracerProvider::shutdown) {
        tracing::warn!(%error, "own traces were not flushed");
    }
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, opentelemetry_otlp::ExporterBuildError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let resource = Resource::builder().with_service_name("freezeframe").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
