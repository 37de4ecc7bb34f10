//! One variable of a frame: its values on both sides, whether it moved, and what only it has.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use similar::TextDiff;

use super::composition::composition;
use super::tool_changes;
use crate::core::attribution::dimension::Dimension;
use crate::core::attribution::{Breakdown, Movement, Part, Value, movement};
use crate::core::completeness::Completeness;
use crate::core::ledger::{Ledger, OTHER, Observed, Subject, Tally};
use crate::core::variable::Variable;

/// Values of one side that stand by name; the rest is folded into `other`.
const VALUES_SHOWN: usize = 10;
/// Below this share of reporting requests a variable is only partly captured.
const CAPTURED_SHARE_MIN: f64 = 0.95;
/// Lines of context in a unified diff.
const DIFF_CONTEXT: usize = 3;

/// The requests of one side by value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// `(value, requests)`, most requests first, the rest folded into `other`.
    pub values: Vec<(String, u32)>,
    /// Requests whose telemetry names a value.
    pub reported: u32,
    /// All requests.
    pub requests: u32,
}

/// One variable in a frame.
#[derive(Clone, Debug)]
pub struct VariableState {
    /// Which one.
    pub variable: Variable,
    /// The incident window.
    pub incident: Side,
    /// The baseline; empty without one.
    pub baseline: Side,
    /// Whether it moved.
    pub movement: Movement,
    /// What only this variable has.
    pub detail: Json,
    /// What closes the gaps in the telemetry it is read from; empty where there are none.
    pub remedies: Vec<&'static str>,
}

impl Side {
    /// The values of `subject` in `tally`.
    #[must_use]
    pub fn of(ledger: &Ledger, subject: Subject, tally: &Tally) -> Self {
        let mut values: Vec<(String, u32)> =
            tally.of(subject).map(|(value, requests)| (ledger.text(subject, value).to_owned(), requests)).collect();
        values.sort_by(|a, b| (a.0 == OTHER).cmp(&(b.0 == OTHER)).then(b.1.cmp(&a.1)).then(a.0.cmp(&b.0)));
        let rest: u32 = values.iter().skip(VALUES_SHOWN).map(|(_, requests)| requests).sum();
        values.truncate(VALUES_SHOWN);
        if rest > 0 {
            values.push((OTHER.to_owned(), rest));
        }
        Self { values, reported: tally.reported(subject), requests: tally.requests }
    }

    fn to_json(&self) -> Json {
        let reported = f64::from(self.reported.max(1));
        let value = |(value, requests): &(String, u32)| json!({ "value": value, "requests": requests, "share": f64::from(*requests) / reported });
        self.values.iter().map(value).collect()
    }
}

impl VariableState {
    /// Reads one variable out of the ledger, and why it is not there out of the telemetry's completeness.
    #[must_use]
    pub fn of(
        ledger: &Ledger,
        variable: Variable,
        [incident, baseline]: [&Tally; 2],
        completeness: &Completeness,
    ) -> Self {
        let mut remedies: Vec<_> = variable.fields().iter().filter_map(|field| completeness.remedy(field)).collect();
        remedies.dedup();
        let subject = Subject::Variable(variable);
        Self {
            variable,
            incident: Side::of(ledger, subject, incident),
            baseline: Side::of(ledger, subject, baseline),
            movement: movement(&shares(subject, incident, baseline)),
            detail: detail(ledger, variable, incident, baseline),
            remedies,
        }
    }

    /// The variable as the frame shows it, with what is compared of its dimensions.
    #[must_use]
    pub fn to_json(&self, breakdowns: &[Breakdown]) -> Json {
        let (state, reason) = self.state();
        json!({
            "state": state,
            "reason": reason,
            "moved": self.movement.moved,
            "distance": self.movement.distance,
            "p_value": self.movement.p_value,
            "incident": self.incident.to_json(),
            "baseline": self.baseline.to_json(),
            "detail": self.compared(breakdowns),
        })
    }

    /// The detail, with the requests behind the verdict by each dimension of the variable.
    fn compared(&self, breakdowns: &[Breakdown]) -> Json {
        let own = || breakdowns.iter().filter(|it| it.dimension.variable() == self.variable);
        let dimensions = own().map(|it| (it.dimension.as_str().to_owned(), it.values.iter().map(part).collect()));
        let mut detail = self.detail.clone();
        detail["dimensions"] = Json::Object(dimensions.collect());
        if let Some(paths) = own().find(|it| it.dimension == Dimension::ToolPath) {
            detail["composition"] = composition(paths);
        }
        detail
    }

    fn state(&self) -> (&'static str, Option<String>) {
        let side = if self.incident.requests > 0 { &self.incident } else { &self.baseline };
        let not_captured = || format!("not captured: {}", self.remedies.join("; or "));
        if side.reported == 0 {
            let instrument = || self.variable.instrument().to_owned();
            return ("missing", Some(if self.remedies.is_empty() { instrument() } else { not_captured() }));
        }
        let share = f64::from(side.reported) / f64::from(side.requests.max(1));
        if share < CAPTURED_SHARE_MIN {
            let percent = share * 100.0;
            let rest = match self.remedies.is_empty() {
                true if self.variable.fields().is_empty() => self.variable.instrument().to_owned(),
                true => "the rest had none to report".to_owned(),
                false => not_captured(),
            };
            return ("partial", Some(format!("reported by {percent:.0} % of requests; {rest}")));
        }
        ("captured", None)
    }
}

fn part(part: &Part) -> Json {
    let counts = |(requests, failing)| json!({ "requests": requests, "failing": failing });
    json!({ "value": part.value, "incident": counts(part.incident), "baseline": counts(part.baseline) })
}

/// The requests of every value on both sides.
fn shares(subject: Subject, incident: &Tally, baseline: &Tally) -> Vec<Value> {
    let mut values: BTreeMap<u8, Value> = BTreeMap::new();
    for (tally, requests) in [(incident, true), (baseline, false)] {
        for (symbol, count) in tally.of(subject) {
            let value = values.entry(symbol).or_insert(Value { incident: 0, baseline: 0 });
            *(if requests { &mut value.incident } else { &mut value.baseline }) = count;
        }
    }
    values.into_values().collect()
}

/// The detail of the most frequent value on each side, and what differs between the two.
fn detail(ledger: &Ledger, variable: Variable, incident: &Tally, baseline: &Tally) -> Json {
    let subject = Subject::Variable(variable);
    let dominant = |tally: &Tally| {
        let (value, _) = tally.of(subject).max_by_key(|(_, requests)| *requests)?;
        ledger.observed(subject, value)
    };
    let (now, before) = (dominant(incident), dominant(baseline));
    let upstream = |tally| Side::of(ledger, Subject::Upstream, tally).to_json();
    let lag = |tally: &Tally| tally.lag.mean_and_max().map(|[mean, max]| json!({ "mean": mean, "max": max }));
    let shown = |observed: Option<&Observed>| observed.map(|it| it.detail.clone());
    let mut detail = Map::new();
    detail.insert("incident".into(), json!(shown(now)));
    detail.insert("baseline".into(), json!(shown(before)));
    let seen: Vec<Json> = incident
        .of(subject)
        .filter_map(|(value, _)| ledger.observed(subject, value))
        .map(|it| json!({ "value": &*it.value, "first_seen": it.first_seen.to_string() }))
        .collect();
    detail.insert("first_seen".into(), seen.into());
    if variable == Variable::RetrievalIndex {
        let both = json!({ "incident": lag(incident), "baseline": lag(baseline) });
        detail.insert("freshness_lag_s".into(), both);
    }
    if variable == Variable::ModelRoute {
        let both = json!({ "incident": upstream(incident), "baseline": upstream(baseline) });
        detail.insert("upstream".into(), both);
    }
    if let (Some(now), Some(before)) = (now, before)
        && now.value != before.value
    {
        detail.insert("diff".into(), difference(variable, &before.detail, &now.detail));
        // Contracts that one side does not tell of are not gone.
        let are_told = |detail: &Json| detail["tools"].as_array().is_some_and(|tools| !tools.is_empty());
        if variable == Variable::ToolSchemas && are_told(&before.detail) && are_told(&now.detail) {
            let (changes, more) = tool_changes::between(&before.detail, &now.detail);
            detail.insert("schema_diff".into(), changes);
            detail.insert("schema_diff_more".into(), more.into());
        }
    }
    Json::Object(detail)
}

/// A unified diff of the rendered prompt; of everything else, of the detail as indented JSON.
fn difference(variable: Variable, before: &Json, now: &Json) -> Json {
    let text = |side: &Json| match variable {
        Variable::PromptRevision => side.get("rendered").and_then(Json::as_str).map(str::to_owned),
        _ => serde_json::to_string_pretty(side).ok(),
    };
    let (Some(before), Some(now)) = (text(before), text(now)) else { return Json::Null };
    let diff = TextDiff::from_lines(&before, &now);
    diff.unified_diff().context_radius(DIFF_CONTEXT).header("baseline", "incident").to_string().into()
}
