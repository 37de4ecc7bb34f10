//! Time, tokens and money of a request against its limits and what is usual.

use std::time::Duration;

use super::{Finding, Limits, Mode, Reference};
use crate::core::histogram::{Distribution, rank};
use crate::core::measurement::{self, Measurement, micros};
use crate::core::request::{ModelCall, Request};
use crate::core::signal::Measure;

/// Unusual is so many times the 99th percentile: the factor of the built-in rules on the mean and on p95, of a value
/// that only one request in a hundred exceeds.
const FACTOR: f64 = 2.0;
/// Slower than usual is nothing to a user below this.
const SLOW_MIN: Duration = Duration::from_secs(1);
/// Dearer than usual is nothing below these: millionths of a US dollar, and tokens.
const COST_MIN: u64 = 10_000;
const TOKENS_MIN: u64 = 2_000;

/// It took longer than its limit, or than is usual. A feature whose usual request takes longer than the limit is held
/// against what is usual alone.
pub(super) fn slow(request: &Request, limits: &Limits, reference: Option<&Reference>) -> Option<Finding> {
    let seconds = request.latency.as_secs_f64();
    let usual = reference.map(|it| &it.latency);
    let is_usual = |limit: &f64| usual.and_then(|it| it.quantile(0.5)).is_none_or(|p50| units(p50, 1e6) <= *limit);
    let over = limits.latency.filter(is_usual).filter(|limit| seconds > *limit);
    let unusual = || exceeded(micros(request.latency), usual?).filter(|_| request.latency > SLOW_MIN);
    let (against, evidence) = match over {
        Some(limit) => (format!("over the limit of {limit} s"), format!("limit_s={limit}")),
        None => {
            let p99 = units(unusual()?, 1e6);
            (format!("over {FACTOR} times the usual p99 of {p99:.1} s"), format!("usual_p99_s={p99:.1}"))
        }
    };
    let tokens = tokens(request);
    let with = tokens.map_or(String::new(), |it| format!(", with {} tokens", grouped(it)));
    let stages = stages(request).into_iter().map(|(name, seconds)| format!("{name}={seconds:.1}"));
    let evidence = [format!("latency_s={seconds:.1}"), evidence].into_iter().chain(stages);
    let evidence = evidence.chain(tokens.map(|it| format!("tokens={it}"))).collect();
    Some(Finding::new(Mode::SlowResponse, format!("Slow: {seconds:.1} s, {against}{with}"), evidence))
}

/// It cost more than its limit, or than is usual; without prices, it used more tokens.
pub(super) fn dear(request: &Request, limits: &Limits, reference: Option<&Reference>) -> Option<Finding> {
    let cost = total(request, |call| call.cost_nano_usd).map(|nano| nano / 1_000);
    let usual_cost = reference.map(|it| &it.cost);
    let by_cost = cost.and_then(|cost| {
        let usd = units(cost, 1e6);
        let over = limits.cost.filter(|limit| usd > *limit).map(|limit| format!("over the limit of {limit} USD"));
        let unusual = || exceeded(cost, usual_cost?).filter(|_| cost > COST_MIN);
        let p99 = || Some(format!("over {FACTOR} times the usual p99 of {:.4} USD", units(unusual()?, 1e6)));
        Some((format!("{usd:.4} USD"), over.or_else(p99)?, format!("cost_usd={usd:.4}")))
    });
    let by_tokens = || {
        let tokens = tokens(request)?;
        let over =
            limits.tokens.filter(|limit| units(tokens, 1.0) > *limit).map(|it| format!("over the limit of {it}"));
        let usual = reference.map(|it| &it.tokens);
        let unusual = || exceeded(tokens, usual?).filter(|_| tokens > TOKENS_MIN);
        let p99 = || Some(format!("over {FACTOR} times the usual p99 of {}", grouped(unusual()?)));
        Some((format!("{} tokens", grouped(tokens)), over.or_else(p99)?, format!("tokens={tokens}")))
    };
    let (amount, against, evidence) = by_cost.or_else(by_tokens)?;
    Some(Finding::new(Mode::CostAnomaly, format!("Dear: {amount}, {against}"), vec![evidence]))
}

/// Input and output tokens of all calls.
fn tokens(request: &Request) -> Option<u64> {
    let parts = [total(request, |call| call.input_tokens), total(request, |call| call.output_tokens)];
    parts.into_iter().flatten().reduce(u64::saturating_add)
}

fn total(request: &Request, part: fn(&ModelCall) -> Option<u64>) -> Option<u64> {
    request.calls.iter().filter_map(part).reduce(u64::saturating_add)
}

/// Seconds of each stage that told.
fn stages(request: &Request) -> Vec<(&'static str, f64)> {
    let mut stages = Vec::new();
    measurement::of_request(request, false, |measurement| {
        let Measurement::Value(measure, value) = measurement else { return };
        let name = match measure {
            Measure::ModelTime => "model_s",
            Measure::RetrievalTime => "retrieval_s",
            Measure::ToolTime => "tool_s",
            _ => return,
        };
        stages.push((name, units(value, measure.per_unit())));
    });
    stages
}

/// The 99th percentile of the others, where `value` is far beyond it. The request itself may be the largest of `usual`.
fn exceeded(value: u64, usual: &Distribution) -> Option<u64> {
    let others = usual.count().checked_sub(1).filter(|others| *others + 1 >= super::REQUESTS_MIN)?;
    let p99 = usual.value_at_rank(rank(others, 0.99))?;
    (units(value, 1.0) > units(p99, 1.0) * FACTOR).then_some(p99)
}

#[expect(clippy::cast_precision_loss, reason = "what is shown has fewer digits than a double")]
fn units(value: u64, per_unit: f64) -> f64 {
    value as f64 / per_unit
}

/// `2,310`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut grouped = digits[..first].to_owned();
    for (at, digit) in digits[first..].chars().enumerate() {
        if at % 3 == 0 && !grouped.is_empty() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
