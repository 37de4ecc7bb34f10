//! The minimum telemetry of a request: which fields should be there, and which are.

use super::request::Request;

/// One field of the minimum telemetry.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, as in the simple trace record.
    pub name: &'static str,
    present: fn(&Request) -> bool,
}

/// Every field: request metadata, performance and quality signals.
pub const FIELDS: [Field; 15] = [
    Field { name: "request_id", present: |it| it.request_id.is_some() },
    Field { name: "session_id", present: |it| it.session_id.is_some() },
    Field { name: "user_id", present: |it| it.user_id.is_some() },
    Field { name: "feature", present: |it| !it.feature.is_empty() },
    Field { name: "model", present: |it| it.calls.iter().any(|call| call.model_served.is_some()) },
    Field { name: "model_requested", present: |it| it.calls.iter().any(|call| call.model_requested.is_some()) },
    Field { name: "prompt_version", present: |it| it.prompt.version.is_some() },
    Field { name: "prompt_sha256", present: |it| it.prompt.sha256.is_some() },
    Field { name: "tools", present: |it| !it.tools.is_empty() || it.tools_offered.is_empty() },
    Field { name: "latency_ms", present: |it| !it.latency.is_zero() },
    Field {
        name: "time_to_first_token_ms",
        present: |it| it.calls.iter().any(|call| call.time_to_first_token.is_some()),
    },
    Field { name: "input_tokens", present: |it| it.calls.iter().any(|call| call.input_tokens.is_some()) },
    Field { name: "output_tokens", present: |it| it.calls.iter().any(|call| call.output_tokens.is_some()) },
    Field { name: "finish_reason", present: |it| it.finish_reason.is_some() },
    Field { name: "evaluations", present: |it| !it.evaluations.is_empty() || it.feedback.is_some() },
];

impl Field {
    /// Whether `request` carries the field.
    #[must_use]
    pub fn is_present(&self, request: &Request) -> bool {
        (self.present)(request)
    }
}

/// Names of the fields `request` lacks, in order.
#[must_use]
pub fn missing(request: &Request) -> Vec<&'static str> {
    FIELDS.iter().filter(|field| !field.is_present(request)).map(|field| field.name).collect()
}

/// How many requests carried each field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    requests: u64,
    present: [u64; FIELDS.len()],
}

impl Completeness {
    /// Counts one request.
    pub fn observe(&mut self, request: &Request) {
        self.requests += 1;
        for (field, present) in FIELDS.iter().zip(&mut self.present) {
            *present += u64::from(field.is_present(request));
        }
    }

    /// `(field, share of requests that carried it)`; empty before the first request.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    pub fn shares(&self) -> Vec<(&'static str, f64)> {
        if self.requests == 0 {
            return Vec::new();
        }
        let share = |present: u64| present as f64 / self.requests as f64;
        FIELDS.iter().zip(self.present).map(|(field, present)| (field.name, share(present))).collect()
    }
}
