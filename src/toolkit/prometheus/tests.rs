use std::sync::Arc;

use super::*;
use crate::config::{self, Source};
use crate::core::detect::{BurnRate, Direction, Limit, Relative};

fn defaults() -> Config {
    config::load(&Source::Default, &|_| None).expect("the defaults are valid").0
}

/// The expression of the one rule, which is the built-in one on errors with these limits.
fn expression(limit: Limit, direction: Direction, features: &[&str]) -> String {
    let config = defaults();
    let errors = config.rules.iter().find(|rule| &*rule.name == "LLMErrorRateHigh").expect("a built-in rule");
    let features = features.iter().map(|it| (*it).into()).collect();
    let rule = Rule { limit, direction, features, ..Rule::clone(errors) };
    condition(&rule, &mut BTreeSet::new()).expect("errors are counted")
}

/// Proves the expression of every kind of limit.
#[test]
fn every_limit_has_its_expression() {
    let (above, below) = (Direction::Above, Direction::Below);
    let value = "job_feature:freezeframe_error_ratio:rate";
    let samples = "job_feature:freezeframe_requests:increase";
    let burn_rate = Some(BurnRate { objective: 0.9, factor: 3.0 });
    for (limit, direction, features, expected) in [
        (
            Limit { fixed: Some(0.1), baseline: Some(Relative::Delta(0.05)), ..Limit::default() },
            above,
            &[][..],
            format!(
                "({value}5m > 0.1\n  and {samples}5m >= 10)\nor ({value}30m > 0.1\n  and {value}5m > 0.1\n  and {samples}30m >= 10)"
            ),
        ),
        (
            Limit { baseline: Some(Relative::Factor(2.0)), ..Limit::default() },
            above,
            &[],
            format!(
                "{value}30m\n  > 2 * ({value}30m offset 1d)\n  and ({value}30m offset 1d) > 0\n  and {samples}30m >= 10"
            ),
        ),
        (
            Limit { baseline: Some(Relative::Delta(-0.05)), ..Limit::default() },
            below,
            &["chat-*", "a.b"],
            format!("{value}30m{{0}}\n  < ({value}30m{{0}} offset 1d) + -0.05\n  and {samples}30m{{0}} >= 10")
                .replace("{0}", r#"{feature=~"chat\\-.*|a\\.b"}"#),
        ),
        (
            Limit { burn_rate, ..Limit::default() },
            above,
            &[],
            format!("{value}5m > 0.29999999999999993\n  and {value}1m > 0.29999999999999993\n  and {samples}5m >= 10"),
        ),
    ] {
        assert_eq!(expression(limit, direction, features), expected);
    }
}

/// Proves that a configuration whose rules only sidecars can judge still watches the sidecars, and names those rules.
#[test]
fn what_has_no_counters_is_left_to_the_sidecars() {
    let mut config = defaults();
    config.rules.retain(|rule| rule.signal == Signal::Quality);
    let (text, left) = rules(&config);
    assert_eq!(left, ["LLMQualityCollapse", "LLMQualityDegradation"]);
    assert!(text.contains("alert: FreezeframeAlertFiring") && !text.contains("freezeframe.fleet"), "{text}");
}

/// Proves that texts of the user can't break out of the document.
#[test]
fn texts_are_quoted() {
    let mut config = defaults();
    config.rules.retain(|rule| rule.signal == Signal::ErrorRatio);
    config.rules.iter_mut().for_each(|rule| Arc::make_mut(rule).summary = "It's: \"bad\" # really".into());
    let document: serde_json::Value = serde_saphyr::from_str(&rules(&config).0).expect("YAML");
    let summary = &document["groups"][1]["rules"][0]["annotations"]["summary"];
    assert_eq!(summary, "{{ $labels.feature }}: It's: \"bad\" # really");
}
