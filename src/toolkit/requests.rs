//! The requests that a recording makes, one at a time, in bounded memory.
//!
//! Documents come in order of time; a trace stays open until its limits close it (`assembly.traces_max`,
//! `assembly.bytes_max`) or the recording ends, so that what is told late, or in another file, still joins it. What is
//! held is the open traces and up to [`HELD_MAX`] closed requests, which wait to be put in order.

use std::collections::BTreeMap;

use super::input::{Export, InputError, Item};
use crate::config::Config;
use crate::core::assembly::{Assembly, Closed, Evicted};
use crate::core::declared::Declared;
use crate::core::redact::{self, Redactor};
use crate::core::request::{Request, TraceId};
use crate::core::time::UnixNanos;
use crate::engine::{self, Pricing};

/// Closed requests that wait for earlier ones at most.
pub const HELD_MAX: usize = 1_000;
/// Bytes of their texts at most; a single larger one waits alone.
pub const HELD_BYTES_MAX: usize = 64 << 20;

/// Requests, priced, completed from what is declared and redacted, in order of their end and then of their trace, as far as they are held at the same time.
#[derive(Debug)]
pub struct Requests<I> {
    exports: I,
    assembly: Assembly,
    declared: Declared,
    pricing: Pricing,
    redactor: Option<Redactor>,
    held: BTreeMap<(UnixNanos, TraceId, u64), (Request, usize)>,
    held_bytes: usize,
    spans: u64,
    requests: u64,
    verdicts_late: u64,
    is_over: bool,
}

impl<I: Iterator<Item = Result<(UnixNanos, Export), InputError>>> Requests<I> {
    /// The requests that documents make, as [`Index::in_time`](super::input::Index::in_time) hands them out.
    #[must_use]
    pub fn new(exports: I, config: &Config) -> Self {
        Self {
            exports,
            assembly: Assembly::new(config.assembly, engine::normaliser(config)),
            declared: Declared::new(engine::normaliser(config)),
            pricing: Pricing::new(&config.cost),
            redactor: engine::redactor(config),
            held: BTreeMap::new(),
            held_bytes: 0,
            spans: 0,
            requests: 0,
            verdicts_late: 0,
            is_over: false,
        }
    }

    /// Spans read so far.
    #[must_use]
    pub fn spans(&self) -> u64 {
        self.spans
    }

    /// What was lost so far, a sentence each.
    #[must_use]
    pub fn losses(&self) -> Vec<String> {
        let evicted = |reason| self.assembly.evicted(reason);
        [
            (evicted(Evicted::Late), "spans or log records came after their trace was closed (assembly.traces_max)"),
            (
                evicted(Evicted::Spans),
                "spans or log records were too many for one trace (assembly.spans_per_trace_max)",
            ),
            (self.verdicts_late, "verdicts were for requests that are not there, or no longer open"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
    }

    fn add(&mut self, at: UnixNanos, export: &Export) {
        for (own, item) in export.items() {
            let now = if own.0 == 0 { at } else { own };
            match item {
                Item::Span(resource, scope, span) => {
                    self.spans += 1;
                    self.assembly.span(now, &resource, scope, &span);
                }
                Item::Log(resource, _, record) if self.declared.hear(now, &resource, &record).is_some() => {}
                Item::Log(resource, scope, record) => {
                    self.assembly.log(now, &resource, scope, &record);
                }
                Item::Request(request) => self.hold(request.clone()),
            }
        }
        // At the epoch nothing is due: this takes only what the limits closed.
        let closed = self.assembly.close_due(UnixNanos(0));
        self.hold_all(closed);
    }

    fn hold_all(&mut self, closed: Vec<Closed>) {
        for closed in closed {
            match closed {
                Closed::Request(request) => self.hold(*request),
                Closed::Late { .. } => self.verdicts_late += 1,
            }
        }
    }

    fn hold(&mut self, request: Request) {
        let bytes = text_bytes(&request);
        self.held_bytes += bytes;
        self.requests += 1;
        self.held.insert((request.ended_at, request.trace_id, self.requests), (request, bytes));
    }

    fn release(&mut self) -> Option<Request> {
        let (_, (mut request, bytes)) = self.held.pop_first()?;
        self.held_bytes -= bytes;
        self.pricing.price(&mut request);
        self.declared.complete(&mut request);
        if let Some(redactor) = &self.redactor {
            drop(redact::request(&mut request, redactor));
        }
        Some(request)
    }
}

impl<I: Iterator<Item = Result<(UnixNanos, Export), InputError>>> Iterator for Requests<I> {
    type Item = Result<Request, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over && self.held.len() <= HELD_MAX && self.held_bytes <= HELD_BYTES_MAX {
            match self.exports.next() {
                Some(Ok((at, export))) => self.add(at, &export),
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.is_over = true;
                    let closed = self.assembly.close_all(UnixNanos(0));
                    self.hold_all(closed);
                }
            }
        }
        self.release().map(Ok)
    }
}

/// Bytes of what may be long in a request.
fn text_bytes(request: &Request) -> usize {
    let texts = [&request.user_query, &request.response, &request.prompt.system];
    let documents = request.retrievals.iter().flat_map(|it| it.documents.iter().flatten());
    let tools = request.tools.iter().flat_map(|it| [&it.arguments, &it.result]);
    let schemas = request.tools_offered.iter().map(|it| it.json.len());
    let texts = texts.into_iter().chain(documents.map(|it| &it.content)).chain(tools);
    size_of::<Request>() + texts.flatten().map(|it| it.len()).sum::<usize>() + schemas.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::toolkit::input::Index;
    use crate::toolkit::traffic::Exchange;

    const SECOND: u64 = 1_000_000_000;

    fn captures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures")
    }

    /// The requests of a recording that is held whole.
    fn at_once(paths: &[PathBuf], config: &Config) -> Vec<Request> {
        let index = Index::read(paths, &mut |_| {}).unwrap();
        let mut whole = Requests::new(std::iter::empty(), config);
        for it in index.in_order() {
            let (at, export) = it.unwrap();
            whole.add(at, &export);
        }
        whole.map(Result::unwrap).collect()
    }

    /// Proves that reading captures of real SDKs a document at a time gives what they give as a whole, each dialect by
    /// itself and all at once.
    #[test]
    fn a_document_at_a_time_gives_the_same_requests() {
        let config = Config::default();
        let mut dialects: Vec<PathBuf> =
            std::fs::read_dir(captures()).unwrap().map(|entry| entry.unwrap().path()).collect();
        dialects.push(captures());
        let mut found = 0;
        for dialect in dialects {
            let paths = [dialect];
            let mut index = Index::read(&paths, &mut |_| {}).unwrap();
            let streamed: Vec<Request> = Requests::new(index.in_time(), &config).map(Result::unwrap).collect();
            assert_eq!(streamed, at_once(&paths, &config), "{paths:?}");
            assert!(streamed.is_sorted_by_key(|it| (it.ended_at, it.trace_id)));
            found += streamed.len();
        }
        assert!(found > 50, "{found}");
    }

    /// Proves that of many more requests than may be held none is lost, doubled or torn, that they come in order, and
    /// that what is held keeps to the limits.
    #[test]
    fn memory_is_bounded_by_the_limits() {
        let mut config = Config::default();
        config.assembly.traces_max = 50;
        let exports = (0..5_000u64).map(|n| {
            // Two files, each in order by itself, would come like this.
            let at = UnixNanos((1_000 + n / 2) * SECOND + n % 2);
            let traces = crate::otlp::Traces::parse(Exchange::healthy(n, at).export()).unwrap();
            Ok((at, Export::Traces(traces)))
        });
        let mut requests = Requests::new(exports, &config);
        let (mut before, mut count, mut spans) = ((UnixNanos(0), TraceId([0; 16])), 0, 0);
        while let Some(request) = requests.next() {
            let request = request.unwrap();
            let now = (request.ended_at, request.trace_id);
            assert!(before < now, "{before:?} {now:?}");
            assert!(requests.assembly.open_traces() <= 50 && requests.held.len() <= HELD_MAX + 50);
            (before, count, spans) = (now, count + 1, spans + u64::from(request.spans));
        }
        assert_eq!((count, spans), (5_000, requests.spans()));
        assert_eq!((requests.losses(), requests.held_bytes), (vec![], 0));
    }
}
