//! The product metrics of the contract. Counters and histograms are per feature, without `_all`: their sum is the
//! whole service. States are sets of series of which exactly one is 1.

use std::sync::Arc;

use super::postmortems;
use super::writer::{Beside, Counted, Family, Kind, Label, Writer};
use crate::api::{Api, dto};
use crate::core::breaker;
use crate::core::histogram::Histogram;
use crate::core::meters::{Buckets, Call, CallMeters, Meters};
use crate::core::signal::{Count, Measure};
use crate::core::time::UnixNanos;
use crate::engine::registry::{ALL, DRILL};
use crate::engine::view::{Alert, AlertState, View};

const MICROS: f64 = 1e6;

/// Upper bounds of a request's duration, microseconds: agents with tools take minutes.
const REQUEST_BOUNDS: [u64; 14] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    20_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
];
/// Upper bounds of the time to first token, microseconds: reasoning models think for a minute.
const FIRST_TOKEN_BOUNDS: [u64; 13] = [
    50_000,
    100_000,
    200_000,
    400_000,
    800_000,
    1_600_000,
    3_000_000,
    3_200_000,
    6_400_000,
    12_800_000,
    25_600_000,
    60_000_000,
    120_000_000,
];

type Features = Vec<(Arc<str>, Arc<Meters>)>;

pub(super) fn write(writer: &mut Writer, api: &Api) {
    let view = api.sources.engine.view();
    let mut features = api.sources.registry.snapshot();
    // Rules page by these metrics: what is no incident stays out of them.
    let is_wanted = |name: &str| name != DRILL || api.sources.drills;
    features.retain(|(name, _)| &**name != ALL && is_wanted(name));
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    writer.family("freezeframe_build_info", Kind::Info, "The version that runs.").sample(&version, 1.0);
    let mut log = writer.family("freezeframe_log_size", Kind::Gauge, "Freeze frames committed to the log.");
    log.sample(&[], float(api.sources.store.size()));
    requests(writer, &features);
    steps(writer, &features);
    let (view, drills) = apart(&view, api.sources.drills);
    completeness(writer, &view);
    calls(writer, &features);
    let name = "freezeframe_drill_alert_state";
    alerts(writer, name, "State of an alert of a drill, which pages nobody: 1 for the one it is in.", &drills);
    alerts(writer, "freezeframe_alert_state", "State of an alert: 1 for the one it is in.", &view.alerts);
    breakers(writer, &view, api);
    postmortems::write(writer, &view);
}

/// The view without what is of drills, unless they count as all others, and the alerts of drills.
fn apart(view: &View, are_drills_wanted: bool) -> (View, Vec<Alert>) {
    let mut rest = view.clone();
    if are_drills_wanted {
        return (rest, Vec::new());
    }
    rest.features.retain(|it| *it.name != *DRILL);
    rest.breakers.retain(|it| *it.feature != *DRILL);
    rest.incidents.retain(|it| *it.feature != *DRILL);
    let (drills, alerts) = rest.alerts.into_iter().partition(|it| *it.feature == *DRILL);
    (View { alerts, ..rest }, drills)
}

fn requests(writer: &mut Writer, features: &Features) {
    let outcomes =
        [(Count::Ok, "ok"), (Count::Error, "error"), (Count::Refused, "refused"), (Count::Blocked, "blocked")];
    let mut family = writer.family("freezeframe_requests_total", Kind::Counter, "Requests, by outcome.");
    counts(&mut family, features, "outcome", &outcomes);

    let name = "freezeframe_request_duration_seconds";
    let mut family = writer.family(name, Kind::Histogram, "How long users waited for a request.");
    distributions(&mut family, features, Measure::Latency, &REQUEST_BOUNDS);

    let name = "freezeframe_time_to_first_token_seconds";
    let mut family = writer.family(name, Kind::Histogram, "How long users waited for the first token.");
    distributions(&mut family, features, Measure::TimeToFirstToken, &FIRST_TOKEN_BOUNDS);

    let mut family = writer.family("freezeframe_tokens_total", Kind::Counter, "Tokens of requests, by direction.");
    for (name, meters) in features {
        for (measure, direction) in [(Measure::InputTokens, "input"), (Measure::OutputTokens, "output")] {
            family.sample(&[("feature", name), ("direction", direction)], float(meters.values(measure).sum()));
        }
    }

    let name = "freezeframe_cost_usd_total";
    let mut family = writer.family(name, Kind::Counter, "Estimated cost of requests, US dollars.");
    for (name, meters) in features {
        family.sample(&[("feature", name)], float(meters.cost_nano_usd()) / 1e9);
    }
}

fn steps(writer: &mut Writer, features: &Features) {
    let mut family =
        writer.family("freezeframe_evaluations_total", Kind::Counter, "Evaluations, by metric and result.");
    for (feature, meters) in features {
        pairs(&mut family, feature, "metric", ("result", ["pass", "fail"]), meters.evaluations());
    }

    let mut family = writer.family("freezeframe_tool_calls_total", Kind::Counter, "Tool calls, by tool and outcome.");
    for (feature, meters) in features {
        pairs(&mut family, feature, "tool", ("outcome", ["ok", "error"]), meters.tools());
    }

    let results = [(Count::RetrievalHit, "hit"), (Count::RetrievalEmpty, "empty"), (Count::RetrievalError, "error")];
    let mut family = writer.family("freezeframe_retrievals_total", Kind::Counter, "Retrievals, by result.");
    counts(&mut family, features, "result", &results);

    let name = "freezeframe_retrieval_freshness_lag_seconds";
    let mut family = writer.family(name, Kind::Gauge, "Age of the newest content of an index, as last reported.");
    for (feature, meters) in features {
        let mut indexes = meters.freshness();
        indexes.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (index, seconds) in indexes {
            family.sample(&[("feature", feature), ("index", &index)], seconds);
        }
    }
}

/// The GenAI semantic-convention metrics, with `feature` added.
fn calls(writer: &mut Writer, features: &Features) {
    let name = "gen_ai_client_operation_duration_seconds";
    let mut family = writer.family(name, Kind::Histogram, "GenAI operation duration.");
    each_call(&mut family, features, |family, labels, meters| {
        buckets(family, labels, &meters.duration, MICROS);
    });

    let name = "gen_ai_client_operation_time_to_first_chunk_seconds";
    let mut family = writer.family(name, Kind::Histogram, "Time to receive the first chunk of a GenAI operation.");
    each_call(&mut family, features, |family, labels, meters| {
        // Calls that do not stream have no first chunk, and the series would be many.
        if meters.time_to_first_token.cumulative().2 > 0 {
            buckets(family, labels, &meters.time_to_first_token, MICROS);
        }
    });

    let name = "gen_ai_client_token_usage";
    let mut family = writer.family(name, Kind::Histogram, "Number of input and output tokens used.");
    each_call(&mut family, features, |family, labels, meters| {
        for (direction, tokens) in [("input", &meters.input_tokens), ("output", &meters.output_tokens)] {
            let labels: Vec<Label<'_>> = labels.iter().copied().chain([("gen_ai_token_type", direction)]).collect();
            buckets(family, &labels, tokens, 1.0);
        }
    });

    let left_out = writer.left_out();
    let help = "Series of model calls left out of this scrape, for want of room.";
    writer.family("freezeframe_metrics_left_out", Kind::Gauge, help).sample(&[], float(left_out as u64));
}

/// Ratios don't add up, so the whole service is among the features. By field over all dialects and by dialect over
/// all fields, not by both: that is in the API, and would be as many series as everything else.
fn completeness(writer: &mut Writer, view: &View) {
    let name = "freezeframe_telemetry_completeness_ratio";
    let help = "Share of recent requests that carried a field of the minimum telemetry, of those it applies to.";
    let mut family = writer.family(name, Kind::Gauge, help);
    for feature in &view.features {
        for (field, share) in feature.completeness.shares() {
            family.sample(&[("feature", &feature.name), ("field", field)], share);
        }
    }

    let name = "freezeframe_telemetry_completeness_score";
    let help = "Completeness of recent requests by dialect: the mean over the fields that apply.";
    let mut family = writer.family(name, Kind::Gauge, help);
    for feature in &view.features {
        for score in feature.completeness.dialects() {
            family.sample(&[("feature", &feature.name), ("dialect", score.dialect)], score.score);
        }
    }
}

fn alerts(writer: &mut Writer, name: &'static str, help: &'static str, alerts: &[Alert]) {
    let mut family = writer.family(name, Kind::Gauge, help);
    for alert in alerts {
        for state in [AlertState::Inactive, AlertState::Pending, AlertState::Firing] {
            let labels = [
                ("feature", &*alert.feature),
                ("alertname", &*alert.rule.name),
                ("class", alert.rule.class.as_str()),
                ("severity", alert.rule.severity.label()),
                ("state", dto::alert_state(state)),
            ];
            family.sample(&labels, f64::from(u8::from(alert.state == state)));
        }
    }
}

fn breakers(writer: &mut Writer, view: &View, api: &Api) {
    let since = UnixNanos(0);
    let states = [
        breaker::State::Closed,
        breaker::State::Open { since },
        breaker::State::HalfOpen { since, succeeded: 0, failed: 0 },
        breaker::State::ForcedOpen { since },
        breaker::State::Disabled { since },
    ];
    let states: Vec<&str> = states.map(breaker::State::as_str).into_iter().chain(["shadow"]).collect();
    let name = "freezeframe_breaker_state";
    let mut family = writer.family(name, Kind::Gauge, "State of a breaker: 1 for the one it is in.");
    for breaker in &view.breakers {
        for state in &states {
            let labels = [("feature", &*breaker.feature), ("class", breaker.class.as_str()), ("state", state)];
            family.sample(&labels, f64::from(u8::from(breaker.shown_state() == *state)));
        }
    }

    let name = "freezeframe_breaker_capped";
    let help = "Whether a breaker is closed only for want of room under breakers.open_max.";
    let mut family = writer.family(name, Kind::Gauge, help);
    for breaker in &view.breakers {
        let labels = [("feature", &*breaker.feature), ("class", breaker.class.as_str())];
        family.sample(&labels, f64::from(u8::from(breaker.machine.capped)));
    }

    let name = "freezeframe_breaker_redirected_total";
    let help = "Requests a breaker turned away, or would have in shadow.";
    let mut family = writer.family(name, Kind::Counter, help);
    for breaker in &view.breakers {
        let labels = [("feature", &*breaker.feature), ("class", breaker.class.as_str())];
        family.sample(&labels, float(api.redirects.of(breaker)));
    }
}

fn counts(family: &mut Family<'_>, features: &Features, label: &str, values: &[(Count, &str)]) {
    for (feature, meters) in features {
        for (count, value) in values {
            family.sample(&[("feature", feature), (label, value)], float(meters.count(*count)));
        }
    }
}

fn distributions(family: &mut Family<'_>, features: &Features, measure: Measure, bounds: &[u64]) {
    for (feature, meters) in features {
        let values: &Histogram = meters.values(measure);
        let bounds_in_seconds = scaled(bounds, MICROS);
        let (cumulative, sum, count) = values.cumulative(bounds);
        let native = Some(values.native(MICROS));
        let counted = Counted { bounds: &bounds_in_seconds, cumulative, sum: float(sum) / MICROS, count, native };
        let beside = |bucket: usize| {
            let above = bucket.checked_sub(1).map_or(0, |before| bounds[before]);
            let found = meters.exemplar(measure, above, bounds.get(bucket).copied().unwrap_or(u64::MAX))?;
            Some(Beside { trace_id: found.trace_id.to_string(), value: float(found.value) / MICROS, at: found.at })
        };
        family.histogram(&[("feature", feature)], &counted, beside);
    }
}

fn buckets(family: &mut Family<'_>, labels: &[Label<'_>], buckets: &Buckets, per_unit: f64) {
    let bounds = &scaled(buckets.bounds(), per_unit);
    let (cumulative, sum, count) = buckets.cumulative();
    let counted = Counted { bounds, cumulative, sum: float(sum) / per_unit, count, native: None };
    family.histogram(labels, &counted, |_| None);
}

fn pairs(
    family: &mut Family<'_>,
    feature: &str,
    label: &str,
    (outcome, names): (&str, [&str; 2]),
    mut counted: Vec<(Box<str>, u64, u64)>,
) {
    counted.sort_unstable();
    for (value, good, bad) in counted {
        for (name, n) in names.into_iter().zip([good, bad]) {
            family.sample(&[("feature", feature), (label, &value), (outcome, name)], float(n));
        }
    }
}

/// Every kind of call of every feature, while there is room. Kinds are told in the order in which they came, which
/// does not change.
fn each_call(
    family: &mut Family<'_>,
    features: &Features,
    mut write: impl FnMut(&mut Family<'_>, &[Label<'_>], &CallMeters),
) {
    for (feature, meters) in features {
        meters.calls(|call, meters| {
            if family.has_room() {
                write(family, &labels(feature, call), meters);
            }
        });
    }
}

fn labels<'a>(feature: &'a str, call: &'a Call) -> [Label<'a>; 6] {
    [
        ("feature", feature),
        ("gen_ai_operation_name", &call.operation),
        ("gen_ai_provider_name", &call.provider),
        ("gen_ai_request_model", &call.model_requested),
        ("gen_ai_response_model", &call.model_served),
        ("error_type", &call.error_type),
    ]
}

fn scaled(bounds: &[u64], per_unit: f64) -> Vec<f64> {
    bounds.iter().map(|bound| float(*bound) / per_unit).collect()
}

#[expect(clippy::cast_precision_loss, reason = "samples are doubles in Prometheus")]
fn float(value: u64) -> f64 {
    value as f64
}
