//! Which failures of the next hop are worth another attempt (opentelemetry-specification, protocol/otlp: Failures).
//!
//! | | retryable | for good |
//! |---|---|---|
//! | gRPC | `CANCELLED` `DEADLINE_EXCEEDED` `ABORTED` `OUT_OF_RANGE` `UNAVAILABLE` `DATA_LOSS`, `RESOURCE_EXHAUSTED` with `RetryInfo` | every other code, `RESOURCE_EXHAUSTED` alone |
//! | HTTP | 429 502 503 504 | every other status |
//! | transport | no connection, connection lost, no answer within the timeout | |

use std::time::Duration;

use ::http::StatusCode;
use tonic::Code;

/// An attempt that did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The value of the `reason` label: from a closed set.
    pub(super) reason: &'static str,
    /// For the log.
    pub(super) detail: String,
    /// What to do about it.
    pub(super) remedy: Remedy,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Try again, not before the pause the next hop asked for.
    Retry(Option<Duration>),
    /// The same request will never be accepted.
    GiveUp,
}

impl Failure {
    /// The next hop could not be reached, or was lost before it answered.
    pub(super) fn connection(detail: String) -> Self {
        Self { reason: "connection", detail, remedy: Remedy::Retry(None) }
    }

    /// No answer in time.
    pub(super) fn timeout() -> Self {
        Self { reason: "timeout", detail: "no answer within the timeout".to_owned(), remedy: Remedy::Retry(None) }
    }

    /// The next hop answered with a gRPC status other than OK.
    pub(super) fn grpc(code: Code, detail: String, retry_after: Option<Duration>) -> Self {
        let remedy = match code {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => Remedy::Retry(retry_after),
            Code::ResourceExhausted if retry_after.is_some() => Remedy::Retry(retry_after),
            Code::Ok
            | Code::ResourceExhausted
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::Internal
            | Code::Unauthenticated => Remedy::GiveUp,
        };
        Self { reason: code_name(code), detail, remedy }
    }

    /// The next hop answered with an HTTP status that is not a success.
    pub(super) fn http(status: StatusCode, detail: String, retry_after: Option<Duration>) -> Self {
        let remedy = match status.as_u16() {
            429 | 502 | 503 | 504 => Remedy::Retry(retry_after),
            _ => Remedy::GiveUp,
        };
        let reason = match status.as_u16() {
            400 => "bad_request",
            401 | 403 => "unauthorized",
            404 | 405 => "not_found",
            413 => "too_large",
            429 => "too_many_requests",
            503 => "unavailable",
            300..=399 => "redirect",
            500..=599 => "server_error",
            _ => "client_error",
        };
        Self { reason, detail: format!("HTTP {status}: {detail}"), remedy }
    }
}

/// A gRPC code as a label.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every gRPC code is retried exactly when OTLP says so.
    #[test]
    fn grpc_codes_follow_the_specification() {
        let retryable = [1, 4, 10, 11, 14, 15];
        for code in 0..=16 {
            let failure = Failure::grpc(Code::from_i32(code), String::new(), None);
            assert_eq!(failure.remedy == Remedy::Retry(None), retryable.contains(&code), "code {code}");
        }
        let pause = Some(Duration::from_secs(3));
        assert_eq!(Failure::grpc(Code::ResourceExhausted, String::new(), pause).remedy, Remedy::Retry(pause));
        assert_eq!(Failure::grpc(Code::Unavailable, String::new(), pause).remedy, Remedy::Retry(pause));
        assert_eq!(Failure::grpc(Code::InvalidArgument, String::new(), pause).remedy, Remedy::GiveUp);
    }

    /// Every HTTP status is retried exactly when OTLP says so.
    #[test]
    fn http_statuses_follow_the_specification() {
        for status in (100..600).filter_map(|status| StatusCode::from_u16(status).ok()) {
            let failure = Failure::http(status, String::new(), None);
            let retryable = [429, 502, 503, 504].contains(&status.as_u16());
            assert_eq!(failure.remedy == Remedy::Retry(None), retryable, "status {status}");
        }
    }
}
