//! `GET /metrics`: what is measured of requests, from the registry and the view at the time of the scrape, then the
//! process's own counters from the `metrics` recorder, all through one writer.
//!
//! Text format 0.0.4, OpenMetrics 1.0 or protobuf, as is asked for. Native histograms are in protobuf only, beside the
//! classic buckets, which every scraper takes.

mod negotiate;
mod postmortems;
mod process;
mod product;
mod protobuf;
mod text;
mod writer;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

pub use self::postmortems::postmortem_textfile;
use self::writer::Writer;
use super::Api;
use super::problem::Problem;
use crate::metrics::Metric;

/// Installs the recorder behind [`Metric`] for the whole process and describes every metric to it.
///
/// # Errors
/// When there is a recorder already.
pub fn install_recorder() -> Result<PrometheusHandle, metrics::SetRecorderError<impl Sized>> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    Metric::ALL.into_iter().for_each(Metric::describe);
    Ok(handle)
}

/// `GET /metrics`
pub(super) async fn scrape(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    let format = negotiate::format(&headers);
    // Thousands of series take milliseconds: not on a thread that answers flags.
    let body = super::blocking(move || {
        let mut writer = Writer::new(format);
        product::write(&mut writer, &api);
        api.sources.process_metrics.run_upkeep();
        process::write(&mut writer, &api.sources.process_metrics.render());
        writer.finish()
    });
    Ok(([(CONTENT_TYPE, format.content_type())], Body::from(body.await?)).into_response())
}
