//! The minimum telemetry, one row a field: when it applies to a request and what having it means.
//!
//! A field that does not apply is counted neither as there nor as a gap: nobody waits for the first token of an answer
//! that does not stream. Absence of an event is no gap either where only its channel can be missing: most users
//! complain of nothing. Such fields are *sampled*, and one request that carries them is enough.

use crate::core::request::{FinishReason, ModelCall, Outcome, Request};

/// What a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Who asked what, under which versions, with which outcome.
    Metadata,
    /// Time, tokens, attempts.
    Performance,
    /// How good the answer was, and whether one was allowed.
    Quality,
}

/// One field of the minimum telemetry.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, as in the simple trace record where that has it.
    pub name: &'static str,
    /// Its group.
    pub group: Group,
    /// What having it means.
    pub about: &'static str,
    /// Whether it is only there when content is captured.
    pub is_content: bool,
    /// Whether it comes with some requests only, so that one in a while is all there can be.
    pub is_sampled: bool,
    pub(super) applies: fn(&Request) -> bool,
    pub(super) present: fn(&Request) -> bool,
}

/// Instrumentations that tell of retries whenever there are any: their silence means none.
const TELL_RETRIES: [&str; 3] = ["anthropic", "claude_code", "codex"];

/// Every field.
pub const FIELDS: [Field; 25] = [
    metadata("request_id", "an id to find the request by", always, |it| it.request_id.is_some()),
    metadata("session_id", "the session or conversation it belongs to", always, |it| it.session_id.is_some()),
    metadata("user_id", "who asked", always, |it| it.user_id.is_some()),
    metadata("feature", "the feature that was asked", always, |it| !matches!(&*it.feature, "" | "unknown")),
    metadata("model", "the version that answered, of every call that worked", answered, |it| {
        each(it, |call| call.model_served.is_some())
    }),
    metadata("model_requested", "the model asked for, of every call", called, |it| {
        it.calls.iter().all(|call| call.model_requested.is_some())
    }),
    metadata("prompt_version", "the version of the prompt or of its components", called, |it| {
        it.prompt.version.is_some() || !it.prompt.components.is_empty()
    }),
    metadata("prompt_sha256", "the system part as rendered, unless there is none", has_system, |it| {
        it.prompt.sha256.is_some()
    })
    .content(),
    metadata("user_query", "what was asked", has_query, |it| it.user_query.is_some()).content(),
    metadata("response", "what was answered", has_response, |it| it.response.is_some()).content(),
    metadata("tools", "the stages of tool calls, where the model asked for tools", asked_for_tools, |it| {
        !it.tools.is_empty()
    }),
    metadata("tool_schemas", "the contracts of the tools, where there are tools", has_tools, |it| {
        !it.tools_offered.is_empty()
    })
    .content(),
    metadata("documents", "what was found, of every retrieval that worked", retrieved, |it| {
        it.retrievals.iter().filter(|it| it.error.is_none()).all(|it| it.documents.is_some())
    })
    .content(),
    metadata("index", "the index that was searched", retrieved, |it| it.retrievals.iter().any(|it| it.index.is_some())),
    metadata("index_version", "its version or snapshot", retrieved, |it| {
        it.retrievals.iter().any(|it| it.index_version.is_some())
    }),
    metadata("finish_reason", "the final outcome: why the last call stopped, unless it failed", finished, |it| {
        it.finish_reason.is_some()
    }),
    performance("latency_ms", "how long the user waited", always, |it| !it.latency.is_zero()),
    performance("time_to_first_token_ms", "of every call that streams", streams, |it| {
        streaming(it).all(|call| call.time_to_first_token.is_some())
    }),
    performance("input_tokens", "of every call that worked", answered, |it| {
        each(it, |call| call.input_tokens.is_some())
    }),
    performance("output_tokens", "of every call that worked", answered, |it| {
        each(it, |call| call.output_tokens.is_some())
    }),
    performance("retries", "attempts beyond the first, or an instrumentation that would tell", called, |it| {
        it.calls.iter().any(|call| call.retries.is_some()) || it.dialects.iter().any(|it| TELL_RETRIES.contains(it))
    }),
    quality("blocked", "whether a policy block could be seen: by error, finish reason or answer", called, |it| {
        it.error.is_some() || it.outcome != Outcome::Ok || it.finish_reason.is_some() || it.response.is_some()
    }),
    quality(
        "refused",
        "whether a refusal could be seen: by the answer, or a finish reason that says so",
        finished,
        |it| it.response.is_some() || it.outcome != Outcome::Ok || tells_refusals(it),
    ),
    quality("evaluations", "a judge's score", always, |it| {
        it.evaluations.iter().any(|it| !is_human(it.judge.kind.as_deref()))
    })
    .sampled(),
    quality("feedback", "complaints of users and outcomes of human review", always, |it| {
        it.feedback.is_some() || it.evaluations.iter().any(|it| is_human(it.judge.kind.as_deref()))
    })
    .sampled(),
];

type Test = fn(&Request) -> bool;

const fn metadata(name: &'static str, about: &'static str, applies: Test, present: Test) -> Field {
    Field { name, group: Group::Metadata, about, is_content: false, is_sampled: false, applies, present }
}

const fn performance(name: &'static str, about: &'static str, applies: Test, present: Test) -> Field {
    Field { group: Group::Performance, ..metadata(name, about, applies, present) }
}

const fn quality(name: &'static str, about: &'static str, applies: Test, present: Test) -> Field {
    Field { group: Group::Quality, ..metadata(name, about, applies, present) }
}

impl Field {
    const fn content(self) -> Self {
        Self { is_content: true, ..self }
    }

    const fn sampled(self) -> Self {
        Self { is_sampled: true, ..self }
    }

    /// The field of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|it| it.name == name)
    }

    /// Whether `request` should carry it.
    #[must_use]
    pub fn applies(&self, request: &Request) -> bool {
        (self.applies)(request)
    }

    /// Whether `request` carries it.
    #[must_use]
    pub fn is_present(&self, request: &Request) -> bool {
        (self.present)(request)
    }
}

impl Group {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Performance => "performance",
            Self::Quality => "quality",
        }
    }
}

fn always(_: &Request) -> bool {
    true
}

fn called(request: &Request) -> bool {
    !request.calls.is_empty()
}

/// A call that came to its end: of one that failed or was cut nobody can say model or tokens.
fn worked(call: &&ModelCall) -> bool {
    call.error.is_none() && call.finish_reason != Some(FinishReason::Error)
}

fn answered(request: &Request) -> bool {
    request.calls.iter().any(|call| worked(&call))
}

fn each(request: &Request, present: fn(&ModelCall) -> bool) -> bool {
    request.calls.iter().filter(worked).all(present)
}

/// The last call, which made the answer, worked.
fn finished(request: &Request) -> bool {
    request.calls.last().is_some_and(|call| worked(&call))
}

/// Where the question is known and no system part came with it, there was none.
fn has_system(request: &Request) -> bool {
    called(request) && (request.prompt.sha256.is_some() || request.user_query.is_none())
}

fn has_query(request: &Request) -> bool {
    called(request) && (request.user_query.is_some() || request.prompt.sha256.is_none())
}

/// A refusal may say nothing, and a call for tools has no text.
fn has_response(request: &Request) -> bool {
    let by_tool = request.finish_reason == Some(FinishReason::ToolCalls);
    request.response.is_some() || (finished(request) && request.outcome == Outcome::Ok && !by_tool)
}

fn asked_for_tools(request: &Request) -> bool {
    !request.tools.is_empty() || request.calls.iter().any(|it| it.finish_reason == Some(FinishReason::ToolCalls))
}

fn has_tools(request: &Request) -> bool {
    !request.tools_offered.is_empty() || asked_for_tools(request)
}

fn retrieved(request: &Request) -> bool {
    request.retrievals.iter().any(|it| it.error.is_none())
}

fn streaming(request: &Request) -> impl Iterator<Item = &ModelCall> {
    let told = |call: &&ModelCall| call.streaming == Some(true) || call.time_to_first_token.is_some();
    request.calls.iter().filter(worked).filter(told)
}

fn streams(request: &Request) -> bool {
    streaming(request).next().is_some()
}

/// OpenAI's refusals finish with `stop` like any answer; others have a reason of their own. A call for tools is none.
fn tells_refusals(request: &Request) -> bool {
    let of_its_own = || request.calls.last().and_then(|it| it.provider.as_deref()) == Some("anthropic");
    match request.finish_reason {
        Some(FinishReason::Stop) => of_its_own(),
        Some(_) => true,
        None => false,
    }
}

fn is_human(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("human"))
}
