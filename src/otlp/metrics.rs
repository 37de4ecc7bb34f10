//! `ExportMetricsServiceRequest` (opentelemetry/proto/metrics/v1): checked for being one and passed on, never read.

use super::traces::check_each;
use super::wire::Malformed;

/// Checks the framing of a metrics request down to the fields of each `Metric`.
///
/// # Errors
/// The first malformed place, as a [`Malformed`].
pub fn check_metrics(bytes: &[u8]) -> Result<(), Malformed> {
    check_each(bytes, 1, |resource_metrics| {
        check_each(resource_metrics, 2, |scope_metrics| {
            check_each(scope_metrics, 2, |metric| check_each(metric, 1, |_name| Ok(())))
        })
    })
}
