//! Assembly of requests: the spans and log records of a trace, in any order and over several exports, become one
//! [`super::request::Request`], closed by its root or by silence, bounded in count, bytes and time.

use std::time::Duration;

/// Limits of trace assembly. Each has a counter of what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A trace closes this long after its root ended up here, so that late children and log records join it.
    pub root_grace: Duration,
    /// A trace without a root closes after this much silence.
    pub idle_timeout: Duration,
    /// Open traces at most.
    pub traces_max: usize,
    /// Spans of one trace at most.
    pub spans_per_trace_max: usize,
    /// Bytes of content held in open traces at most.
    pub bytes_max: usize,
    /// Bytes kept of one text (prompt, answer, tool result).
    pub content_bytes_max: usize,
}
