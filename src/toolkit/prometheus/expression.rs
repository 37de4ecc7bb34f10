//! PromQL of a rule.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::core::detect::{Direction, Relative, Rule};
use crate::core::signal::{Shape, Signal};

/// The whole service, for sidecars.
const ALL: &str = "_all";
/// Labels of every figure over all pods.
const BY: &str = "namespace, job, feature";
/// Windows of little traffic are this many times the rule's.
const LONG: u32 = 6;
/// The short window of a burn rate is this part of the long one.
const BURN_RATE_PART: u32 = 12;
/// Shorter windows hold too few scrapes.
const WINDOW_MIN: Duration = Duration::from_secs(60);

/// A recorded series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    /// `job_feature:freezeframe_error_ratio:rate5m`
    pub(super) name: String,
    /// What is recorded.
    pub(super) of: Recorded,
}

/// What a recorded series holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Recorded {
    /// The signal's value over a window.
    Value(Signal, String),
    /// How much a counter of samples grew in a window.
    Samples(&'static str, String),
}

/// Where a signal's figures are on `/metrics`.
enum Source {
    /// One sum over another.
    Ratio(&'static str, &'static str),
    /// A quantile of a histogram, and the counter of its samples.
    Quantile(&'static str, &'static str),
}

fn source(signal: Signal) -> Option<Source> {
    use Source::{Quantile, Ratio};
    const REQUESTS: &str = "freezeframe_requests_total";
    Some(match signal {
        Signal::ErrorRatio => Ratio(r#"freezeframe_requests_total{outcome="error"}"#, REQUESTS),
        Signal::RefusalRatio => Ratio(r#"freezeframe_requests_total{outcome="refused"}"#, REQUESTS),
        Signal::BlockRatio => Ratio(r#"freezeframe_requests_total{outcome="blocked"}"#, REQUESTS),
        Signal::EmptyRetrievalRatio => {
            Ratio(r#"freezeframe_retrievals_total{result!="hit"}"#, "freezeframe_retrievals_total")
        }
        Signal::ToolSuccessRatio => {
            Ratio(r#"freezeframe_tool_calls_total{outcome="ok"}"#, "freezeframe_tool_calls_total")
        }
        Signal::EvaluationPassRatio => {
            Ratio(r#"freezeframe_evaluations_total{result="pass"}"#, "freezeframe_evaluations_total")
        }
        Signal::TokensPerRequest => Ratio("freezeframe_tokens_total", REQUESTS),
        Signal::CostPerRequest => Ratio("freezeframe_cost_usd_total", REQUESTS),
        Signal::LatencyP95 => Quantile("freezeframe_request_duration_seconds", REQUESTS),
        Signal::TimeToFirstTokenP95 => {
            Quantile("freezeframe_time_to_first_token_seconds", "freezeframe_time_to_first_token_seconds_count")
        }
        Signal::Quality
        | Signal::BadFeedbackRatio
        | Signal::LeakRatio
        | Signal::RetriesPerRequest
        | Signal::RetrievalScoreP50
        | Signal::EvaluationScore
        | Signal::ModelTime
        | Signal::RetrievalTime
        | Signal::ToolTime => return None,
    })
}

/// The expression behind a recorded series.
pub(super) fn recording(recorded: &Recorded) -> String {
    match recorded {
        Recorded::Value(signal, window) => match source(*signal) {
            Some(Source::Ratio(part, whole)) => {
                // Where nothing is counted as bad yet, there is no series of it: the share is zero, not unknown.
                let whole = format!("sum by ({BY}) (rate({whole}[{window}]))");
                format!("(sum by ({BY}) (rate({part}[{window}]))\n  or 0 * {whole})\n  / {whole}")
            }
            Some(Source::Quantile(histogram, _)) => {
                format!("histogram_quantile(0.95,\n  sum by ({BY}, le) (rate({histogram}_bucket[{window}])))")
            }
            None => String::new(),
        },
        Recorded::Samples(counter, window) => format!("sum by ({BY}) (increase({counter}[{window}]))"),
    }
}

/// The expression of an alert, and the series it reads; `None` for a signal or a limit that Prometheus can't judge.
pub(super) fn condition(rule: &Rule, series: &mut BTreeSet<Series>) -> Option<String> {
    // Counters are by feature; the whole service's are their sum.
    if !rule.features.is_empty() && rule.features.iter().all(|glob| &**glob == ALL) {
        return None;
    }
    let (Source::Ratio(_, samples) | Source::Quantile(_, samples)) = source(rule.signal)?;
    let mut names = Names { rule, samples, selector: selector(&rule.features), series };
    let window = rule.window.max(WINDOW_MIN);
    let fixed = rule.limit.fixed.map(|limit| names.fixed(window, limit));
    let burning = rule.limit.burn_rate.map(|burn_rate| {
        let failures = burn_rate.failures();
        let limit = if rule.direction == Direction::Above { failures } else { 1.0 - failures };
        let (long, short) =
            (names.breach(window, limit), names.breach((window / BURN_RATE_PART).max(WINDOW_MIN), limit));
        format!("{long}\n  and {short}\n  and {}", names.enough(window))
    });
    let found: Vec<String> = fixed.into_iter().chain(burning).collect();
    if !found.is_empty() {
        return Some(found.join("\nor\n"));
    }
    // A quantile of buckets jumps from one bound to the next: too coarse to compare two of them.
    let relative = rule.limit.baseline.filter(|_| matches!(rule.signal.shape(), Shape::Ratio | Shape::Mean(_)));
    relative.map(|relative| names.daily(window * LONG, relative))
}

/// Names of recorded series, noting each.
struct Names<'a> {
    rule: &'a Rule,
    /// The counter of its signal's samples.
    samples: &'static str,
    selector: String,
    series: &'a mut BTreeSet<Series>,
}

impl Names<'_> {
    fn value(&mut self, window: Duration) -> String {
        let (signal, window) = (self.rule.signal, duration(window));
        let name = format!("job_feature:freezeframe_{}:rate{window}", signal.as_str());
        self.series.insert(Series { name: name.clone(), of: Recorded::Value(signal, window) });
        name + &self.selector
    }

    fn enough(&mut self, window: Duration) -> String {
        let window = duration(window);
        let name = format!("job_feature:{}:increase{window}", self.samples.trim_end_matches("_total"));
        self.series.insert(Series { name: name.clone(), of: Recorded::Samples(self.samples, window) });
        format!("{name}{} >= {}", self.selector, self.rule.samples_min)
    }

    fn breach(&mut self, window: Duration, limit: f64) -> String {
        format!("{} {} {limit}", self.value(window), operator(self.rule.direction))
    }

    fn fixed(&mut self, window: Duration, limit: f64) -> String {
        let (now, enough) = (self.breach(window, limit), self.enough(window));
        let (lately, enough_lately) = (self.breach(window * LONG, limit), self.enough(window * LONG));
        format!("({now}\n  and {enough})\nor ({lately}\n  and {now}\n  and {enough_lately})")
    }

    fn daily(&mut self, window: Duration, relative: Relative) -> String {
        let (value, enough) = (self.value(window), self.enough(window));
        let limit = match relative {
            // Nothing is a multiple of nothing: a price that was not known yesterday is no price of zero.
            Relative::Factor(factor) => format!("{factor} * ({value} offset 1d)\n  and ({value} offset 1d) > 0"),
            Relative::Delta(delta) => format!("({value} offset 1d) + {delta}"),
        };
        format!("{value}\n  {} {limit}\n  and {enough}", operator(self.rule.direction))
    }
}

fn operator(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => ">",
        Direction::Below => "<",
    }
}

/// The features that a rule applies to, as a matcher: its globs as one regular expression.
fn selector(globs: &[Box<str>]) -> String {
    if globs.is_empty() {
        return String::new();
    }
    let glob = |glob: &str| regex::escape(glob).replace(r"\*", ".*").replace(r"\?", ".");
    let globs: Vec<String> = globs.iter().map(|it| glob(it)).collect();
    format!("{{feature=~{}}}", serde_json::Value::from(globs.join("|")))
}

/// `90s`, `5m`, `1h`: the largest unit that has no rest.
pub(super) fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "0s".to_owned(),
        hours if hours.is_multiple_of(3_600) => format!("{}h", hours / 3_600),
        minutes if minutes.is_multiple_of(60) => format!("{}m", minutes / 60),
        seconds => format!("{seconds}s"),
    }
}
