//! Why an export request is turned away, and the one table that says how each transport puts it.

use std::time::Duration;

use hyper::StatusCode;
use thiserror::Error;
use tonic::Code;

use crate::otlp::{Malformed, RpcStatus};

/// Why a request was not accepted. Nothing of it was taken in.
///
/// | variant | `result` label | gRPC | HTTP | client may retry |
/// |---|---|---|---|---|
/// | `Malformed`, `Json`, `Score`, `Corrupt` | `malformed` | `INVALID_ARGUMENT` | 400 | no |
/// | `Framing` | `malformed` | `INTERNAL`, as gRPC's compression.md wants | - | no |
/// | `TooLarge` | `too_large` | `RESOURCE_EXHAUSTED` without `RetryInfo` | 413 | no |
/// | `Encoding` | `unsupported` | `UNIMPLEMENTED` | 415 | no |
/// | `ContentType`, `NotJson` | `unsupported` | HTTP 415 | 415 | no |
/// | `Path`, `Off` | `not_found` | `UNIMPLEMENTED` | 404 | no |
/// | `Method` | `not_found` | HTTP 405 | 405 | no |
/// | `Slow` | `timeout` | `DEADLINE_EXCEEDED` | 408 | gRPC |
/// | `Gone` | `aborted` | `CANCELLED` | 400 | nobody is there |
/// | `Busy`, `Stopping` | `refused` | `UNAVAILABLE` with `RetryInfo` | 503 with `Retry-After` | yes |
#[derive(Debug, Error)]
pub(super) enum Rejection {
    #[error("not an OTLP message: {0}")]
    Malformed(#[from] Malformed),
    #[error("not OTLP/JSON: {0}")]
    Json(String),
    #[error("not a score: {0}")]
    Score(String),
    #[error("cannot be decompressed: {0}")]
    Corrupt(String),
    #[error("not a gRPC message: {0}")]
    Framing(String),
    #[error("larger than {0} bytes after decompression")]
    TooLarge(usize),
    #[error("content encoding {0:?} is not supported")]
    Encoding(String),
    #[error("content type {0:?} is not supported; send application/x-protobuf or application/json")]
    ContentType(String),
    #[error("content type {0:?} is not supported; send application/json")]
    NotJson(String),
    #[error("no such path; POST to /v1/traces, /v1/logs or /v1/metrics, or call Export of the same services by gRPC")]
    Path,
    #[error("scores are not taken here; {0}: true lets them in")]
    Off(&'static str),
    #[error("method not allowed; POST")]
    Method,
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the client went away")]
    Gone,
    #[error("too many requests in flight, try again in {} s", retry_seconds(*.0))]
    Busy(Duration),
    #[error("shutting down, try again in {} s", retry_seconds(*.0))]
    Stopping(Duration),
}

impl Rejection {
    /// The value of the `result` label.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Json(_) | Self::Score(_) | Self::Corrupt(_) | Self::Framing(_) => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::Encoding(_) | Self::ContentType(_) | Self::NotJson(_) => "unsupported",
            Self::Path | Self::Off(_) | Self::Method => "not_found",
            Self::Slow => "timeout",
            Self::Gone => "aborted",
            Self::Busy(_) | Self::Stopping(_) => "refused",
        }
    }

    /// When the client should come back, if it should.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(pause) | Self::Stopping(pause) => Some(*pause),
            _ => None,
        }
    }

    pub(super) fn code(&self) -> Code {
        match self {
            Self::Malformed(_) | Self::Json(_) | Self::Score(_) | Self::Corrupt(_) => Code::InvalidArgument,
            Self::Framing(_) => Code::Internal,
            Self::TooLarge(_) => Code::ResourceExhausted,
            Self::Encoding(_) | Self::ContentType(_) | Self::NotJson(_) | Self::Path | Self::Off(_) | Self::Method => {
                Code::Unimplemented
            }
            Self::Slow => Code::DeadlineExceeded,
            Self::Gone => Code::Cancelled,
            Self::Busy(_) | Self::Stopping(_) => Code::Unavailable,
        }
    }

    pub(super) fn http_status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Json(_) | Self::Score(_) | Self::Corrupt(_) | Self::Framing(_) | Self::Gone => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding(_) | Self::ContentType(_) | Self::NotJson(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Path | Self::Off(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy(_) | Self::Stopping(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `google.rpc.Status` of either transport.
    pub(super) fn status(&self) -> RpcStatus {
        RpcStatus::new(self.code().into(), self.to_string(), self.retry_after())
    }
}

/// `Retry-After` counts whole seconds: rounded up, and never 0, which would invite an immediate retry.
pub(super) fn retry_seconds(pause: Duration) -> u64 {
    pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0)).max(1)
}
