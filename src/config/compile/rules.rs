//! Rules: what each must have, and the sense of its limit.

use std::sync::Arc;
use std::time::Duration;

use super::is_label_name as is_name;
use crate::config::built_in;
use crate::config::error::{Problems, did_you_mean};
use crate::config::fields::Draft;
use crate::config::rules::RuleDraft;
use crate::config::units::show_duration;
use crate::core::detect::{Direction, Limit, Relative, Rule};
use crate::core::signal::Shape;
use crate::core::window;

/// The rules in effect: built-in ones, less the disabled, changed and added to by the written ones.
pub(super) fn compile(draft: &Draft, problems: &mut Problems) -> Vec<Arc<Rule>> {
    let mut rules = if draft.rules.defaults { built_in::rules() } else { Vec::new() };
    for name in &draft.rules.disabled {
        if !built_in::rules().iter().any(|rule| *rule.name == **name) {
            let known: Vec<String> = built_in::rules().iter().map(|rule| rule.name.to_string()).collect();
            problems.error(problems.place("rules.disabled"), "rules.disabled", format!("{name:?}"), known.join(", "));
            if let Some(meant) = did_you_mean(name, known.iter().map(String::as_str)) {
                problems.hint(format!("did you mean {meant}?"));
            }
        }
        rules.retain(|rule| *rule.name != **name);
    }
    if let Some(rule) =
        rules.iter().find(|rule| !draft.rules.mentions(&rule.name) && !fits(rule.window, &draft.config.windows))
    {
        let at = problems.place("windows.long").or(problems.place("windows.slot"));
        let found = format!("windows that the built-in rule {} can't have", rule.name);
        problems.error(
            at,
            "windows",
            found,
            format!("a slot that divides {0}, and windows.long of {0} or more", show_duration(rule.window)),
        );
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, (_, written)) in draft.rules.written.iter().enumerate() {
        let prefix = format!("rules.rules[{index}]");
        if seen.contains(&written.name.as_str()) {
            let at = problems.place(&format!("{prefix}.name"));
            problems.error(
                at,
                &format!("{prefix}.name"),
                format!("{:?} a second time", written.name),
                "one rule of each name",
            );
        }
        seen.push(&written.name);
        let Some(rule) = rule(written, &prefix, &draft.config.windows, problems) else { continue };
        match rules.iter_mut().find(|other| other.name == rule.name) {
            Some(other) => *other = rule,
            None => rules.push(rule),
        }
    }
    rules.into_iter().map(Arc::new).collect()
}

fn rule(written: &RuleDraft, prefix: &str, windows: &window::Policy, problems: &mut Problems) -> Option<Rule> {
    limits(written, prefix, problems);
    learned(written, prefix, problems);
    burn_rate(written, prefix, problems);
    let window = if written.window.is_zero() { windows.short } else { written.window };
    judged(window, prefix, windows, problems);
    for glob in &written.features {
        if glob.is_empty() || glob.contains(['[', ']', '{', '}', '\\']) {
            let field = format!("{prefix}.features");
            problems.error(problems.place(&field), &field, format!("{glob:?}"), "globs of *, ? and plain characters");
        }
    }
    let missing = [
        ("name", !is_name(&written.name)),
        ("class", written.class.is_none()),
        ("severity", written.severity.is_none()),
        ("signal", written.signal.is_none()),
        ("direction", written.direction.is_none()),
    ];
    for (name, _) in missing.iter().filter(|(_, missing)| *missing) {
        let found = if *name == "name" && !written.name.is_empty() {
            format!("{:?}", written.name)
        } else {
            "nothing".to_owned()
        };
        let allowed = if *name == "name" {
            "letters, digits and _, CamelCase by custom"
        } else {
            "a value: a rule of its own needs it"
        };
        problems.require(prefix, name, found, allowed);
    }
    if missing.iter().any(|(_, missing)| *missing) {
        return None;
    }
    Some(Rule {
        name: written.name.as_str().into(),
        class: written.class?,
        severity: written.severity?,
        signal: written.signal?,
        direction: written.direction?,
        limit: written.limit(),
        window,
        window_samples: written.window_samples as u64,
        hold: written.hold,
        keep_firing: written.keep_firing,
        samples_min: written.samples_min as u64,
        features: written.features.iter().map(|glob| glob.as_str().into()).collect(),
        summary: match written.summary.as_str() {
            "" => written.name.as_str().into(),
            summary => summary.into(),
        },
    })
}

fn fits(window: Duration, windows: &window::Policy) -> bool {
    window <= windows.long && window.as_nanos().is_multiple_of(windows.slot.as_nanos().max(1))
}

fn judged(window: Duration, prefix: &str, windows: &window::Policy, problems: &mut Problems) {
    if !fits(window, windows) {
        let field = format!("{prefix}.window");
        let allowed = format!(
            "a multiple of windows.slot, {}, and at most windows.long, {}",
            show_duration(windows.slot),
            show_duration(windows.long)
        );
        problems.error(problems.place(&field).or(problems.place(prefix)), &field, show_duration(window), allowed);
    }
}

fn limits(written: &RuleDraft, prefix: &str, problems: &mut Problems) {
    let field = |name: &str| format!("{prefix}.limit.{name}");
    let at = |name: &str, problems: &Problems| problems.place(&field(name)).or(problems.place(prefix));
    if written.limit() == Limit::default() {
        let found = "no limit";
        problems.error(
            problems.place(prefix),
            &format!("{prefix}.limit"),
            found,
            "fixed, baseline_factor, baseline_delta, baseline_slack or burn_rate",
        );
    }
    if written.factor.is_some() && written.delta.is_some() {
        let hint_at = at("baseline_delta", problems);
        problems.error(hint_at, &field("baseline_delta"), "a factor and a delta", "one of them");
        problems.hint("a built-in rule's part is taken out with null, as baseline_factor: null");
    }
    if let Some(fixed) =
        written.fixed.filter(|fixed| written.signal.is_some_and(built_in::is_ratio) && !(0.0..=1.0).contains(fixed))
    {
        problems.error(
            at("fixed", problems),
            &field("fixed"),
            fixed.to_string(),
            "a share from 0 to 1, as the signal is",
        );
    }
    if let Some(factor) = written.factor.filter(|factor| *factor <= 0.0) {
        problems.error(
            at("baseline_factor", problems),
            &field("baseline_factor"),
            factor.to_string(),
            "a number above 0",
        );
    }
    let within = match (written.direction, written.limit().baseline) {
        (Some(Direction::Above), Some(Relative::Factor(factor))) => factor > 0.0 && factor <= 1.0,
        (Some(Direction::Below), Some(Relative::Factor(factor))) => factor >= 1.0,
        (Some(Direction::Above), Some(Relative::Delta(delta))) => delta <= 0.0,
        (Some(Direction::Below), Some(Relative::Delta(delta))) => delta >= 0.0,
        (None, _) | (_, None) => false,
    };
    if within {
        let part = if written.factor.is_some() { "baseline_factor" } else { "baseline_delta" };
        problems.warn(
            at(part, problems),
            &field(part),
            "a limit that the baseline itself breaches",
            "a limit beyond the baseline",
        );
    }
}

fn learned(written: &RuleDraft, prefix: &str, problems: &mut Problems) {
    let Some(slack) = written.slack else { return };
    let field = format!("{prefix}.limit.baseline_slack");
    let at = problems.place(&field).or(problems.place(prefix));
    if !(slack > 0.0 && slack < 1.0) {
        problems.error(at, &field, slack.to_string(), "a share of samples between 0 and 1");
    }
    if written.signal.is_some_and(|signal| matches!(signal.shape(), Shape::Mean(_))) {
        problems.error(at, &field, "a slack on a mean", "a slack on a share or a quantile");
        problems.hint("baseline_factor and baseline_delta judge means");
    }
}

fn burn_rate(written: &RuleDraft, prefix: &str, problems: &mut Problems) {
    let field = format!("{prefix}.limit.burn_rate");
    let at = problems.place(&field).or(problems.place(prefix));
    if written.objective.is_some() != written.burn_rate.is_some() {
        problems.error(at, &field, "half of it", "an objective and a factor");
        return;
    }
    let Some(burn_rate) = written.limit().burn_rate else { return };
    if !(burn_rate.objective > 0.0 && burn_rate.objective < 1.0 && burn_rate.factor > 0.0) {
        let found = format!("objective {} and factor {}", burn_rate.objective, burn_rate.factor);
        problems.error(at, &field, found, "an objective between 0 and 1 and a factor above 0");
    } else if burn_rate.failures() >= 1.0 {
        let found = format!(
            "a budget of {} that burns at most {} times as fast",
            1.0 - burn_rate.objective,
            1.0 / (1.0 - burn_rate.objective)
        );
        problems.error(at, &field, found, "a factor that failures of all samples exceed");
    }
    if written.signal.is_some_and(|signal| !built_in::is_ratio(signal)) {
        problems.error(at, &field, "a burn rate on what is no share", "a burn rate on a share of samples");
    }
}
