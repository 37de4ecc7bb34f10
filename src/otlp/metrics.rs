//! `ExportMetricsServiceRequest` (opentelemetry/proto/metrics/v1): checked and counted, so that it can be refused or
//! forwarded. What is measured here comes from spans; there is no view over data points.

use bytes::Bytes;

use super::wire::Malformed;
use super::{check, messages};

/// The bytes of one `ExportMetricsServiceRequest`, checked.
#[derive(Clone, Debug)]
pub struct Metrics {
    bytes: Bytes,
    data_points: usize,
}

impl Metrics {
    /// Checks `bytes` whole: every tag, length, wire type and depth, but not whether strings are UTF-8.
    ///
    /// # Errors
    /// The first malformed place, as a [`Malformed`].
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let data_points = check::request(&messages::METRICS, &bytes)?.items;
        Ok(Self { bytes, data_points })
    }

    /// The request's bytes, as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many data points the request holds: what `rejected_data_points` counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data_points
    }

    /// Whether the request holds no data point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data_points == 0
    }
}
