//! Request bodies: bounded, JSON, and a problem that says what is wrong with them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::metrics::Metric;

/// Size of a request body, bytes.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// The bytes, or 413 or 400.
pub(super) fn bytes(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Metric::AdminRejections.add(&[("reason", "body_too_large")], 1);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB")
        }
        _ => Problem::bad_request("the body could not be read"),
    })
}

/// The body as `T`, whatever its content type says.
pub(super) fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    serde_json::from_slice(&bytes(body)?)
        .map_err(|error| Problem::bad_request(format!("not the JSON expected: {error}")))
}
