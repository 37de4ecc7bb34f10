use proptest::prelude::*;

use super::*;
use crate::core::histogram::{Distribution, Histogram, Previous};
use crate::core::rules;
use crate::core::signal::{Count, Measure};
use crate::core::time::UnixNanos;
use crate::core::window::{Nested, Window};

fn window(counts: &[(Count, u64)], values: &[(Measure, &[u64])]) -> Window {
    let mut all = [0; Count::N];
    counts.iter().for_each(|(count, n)| all[count.index()] = *n);
    let mut distributions = <[Distribution; Measure::N]>::default();
    for (measure, values) in values {
        let histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        distributions[measure.index()] = histogram.since(&mut Previous::default());
    }
    Window::new(UnixNanos(0), UnixNanos(300_000_000_000), all, distributions)
}

fn quality(good: u64, bad: u64) -> Window {
    window(&[(Count::Good, good), (Count::Bad, bad), (Count::Ok, good + bad)], &[])
}

/// `slow` requests of 9.2 s among `of` of 1.2 s.
fn latency(slow: usize, of: usize) -> Window {
    let values: Vec<u64> = (0..of).map(|at| if at < slow { 9_200_000 } else { 1_200_000 }).collect();
    window(&[(Count::Ok, of as u64)], &[(Measure::Latency, &values)])
}

fn rule(name: &str) -> Rule {
    rules::built_in().into_iter().find(|rule| &*rule.name == name).expect("a built-in rule")
}

fn breached(rule: &str, window: &Window, baseline: Option<&Window>) -> bool {
    matches!(judge(&self::rule(rule), window, baseline), Verdict::Breached { .. })
}

/// A rule, windows with so many good and bad samples for it, and a usual baseline.
type Kind<'a> = (&'a str, &'a dyn Fn(u64, u64) -> Window, Window);

/// Proves the promises on few samples: six bad of ten breach, one of ten and eight good of ten do not, with and
/// without a baseline, for each kind of failure; and nine requests say nothing.
#[test]
fn six_of_ten_breach_and_one_of_ten_does_not() {
    let tools = |ok, failed| window(&[(Count::ToolOk, ok), (Count::ToolError, failed)], &[]);
    let searches = |hit, empty| window(&[(Count::RetrievalHit, hit), (Count::RetrievalEmpty, empty)], &[]);
    let outcomes = |ok, failed| window(&[(Count::Ok, ok), (Count::Error, failed)], &[]);
    let evaluations = |pass, fail| window(&[(Count::EvaluationPass, pass), (Count::EvaluationFail, fail)], &[]);
    let kinds: [Kind; 6] = [
        ("LLMQualityDegradation", &quality, quality(920, 80)),
        ("LLMEvaluationFailing", &evaluations, evaluations(920, 80)),
        ("LLMToolFailures", &tools, tools(970, 30)),
        ("LLMRetrievalEmpty", &searches, searches(970, 30)),
        ("LLMErrorRateHigh", &outcomes, outcomes(995, 5)),
        ("LLMLatencyHigh", &|good, bad| latency(bad as usize, (good + bad) as usize), latency(3, 1_000)),
    ];
    for (name, with, baseline) in kinds {
        for baseline in [None, Some(&baseline)] {
            let learned = baseline.is_some();
            assert!(breached(name, &with(4, 6), baseline), "{name}: six of ten, baseline {learned}");
            assert!(!breached(name, &with(9, 1), baseline), "{name}: one of ten, baseline {learned}");
            assert!(!breached(name, &with(10, 0), baseline), "{name}: none, baseline {learned}");
            let few = judge(&rule(name), &with(0, 9), baseline);
            assert_eq!(few, Verdict::InsufficientData { samples: 9 }, "{name}");
        }
    }
    assert!(!breached("LLMQualityDegradation", &quality(8, 2), None));
    assert!(!breached("LLMQualityDegradation", &quality(8, 2), Some(&quality(920, 80))));
}

/// Proves that ten fresh requests are judged against a thin baseline of another ten, as in a drill.
#[test]
fn a_thin_baseline_excuses_nothing() {
    assert!(breached("LLMQualityDegradation", &quality(4, 6), Some(&quality(19, 1))));
    assert!(breached("LLMLatencyHigh", &latency(6, 10), Some(&latency(1, 20))));
}

/// Proves that what a good baseline makes likely is no breach of a fixed limit, and that a bad baseline is no
/// excuse.
#[test]
fn a_baseline_explains_small_numbers() {
    assert!(breached("LLMQualityDegradation", &quality(5, 5), None));
    assert!(!breached("LLMQualityDegradation", &quality(5, 5), Some(&quality(920, 80))));
    assert!(breached("LLMQualityDegradation", &quality(60, 40), Some(&quality(600, 400))));
}

/// Proves that a learned limit says so and is reckoned from the lenient end of the baseline's interval, and that
/// the fixed one is told when both are breached.
#[test]
fn learned_limits_are_lenient_and_say_so() {
    let baseline = quality(9_500, 500);
    let limit = learned_limit(&rule("LLMQualityDegradation"), &baseline).expect("there is a baseline");
    assert!((0.894..0.9).contains(&limit), "{limit}");
    let Verdict::Breached { limit: told, source, .. } =
        judge(&rule("LLMQualityDegradation"), &quality(850, 150), Some(&baseline))
    else {
        panic!("ten points below the baseline")
    };
    assert_eq!((told, source), (limit, Source::Learned { time: Duration::from_secs(300) }));
    let Verdict::Breached { limit: told, source, .. } =
        judge(&rule("LLMQualityDegradation"), &quality(680, 320), Some(&baseline))
    else {
        panic!("below both")
    };
    assert_eq!((told, source), (0.8, Source::Fixed));
    assert!(!breached("LLMQualityDegradation", &quality(850, 150), None), "within the fixed limit");
}

/// Proves the three kinds of means: twice the cost breaches, the same does not, and equal values are no division by
/// zero.
#[test]
fn means_are_judged_against_their_error() {
    let cost = |factor: u64| {
        let values: Vec<u64> = (0..100).map(|at| (400 + at * 12) * factor).collect();
        window(&[(Count::Ok, 100)], &[(Measure::Cost, &values)])
    };
    assert!(breached("LLMCostSpike", &cost(3), Some(&cost(1))));
    assert!(!breached("LLMCostSpike", &cost(1), Some(&cost(1))));
    assert!(!breached("LLMCostSpike", &cost(3), None), "what is dear is not known");
    let retries = |n| window(&[(Count::Ok, 50)], &[(Measure::Retries, &[n; 50])]);
    assert!(breached("LLMRetryStorm", &retries(3), None));
    assert!(breached("LLMRetryStorm", &retries(3), Some(&retries(0))));
    assert!(!breached("LLMRetryStorm", &retries(1), Some(&retries(1))));
}

/// Proves quantiles in both directions and the retrieval score's scale.
#[test]
fn medians_fall() {
    let scores = |score: u64| window(&[], &[(Measure::RetrievalScore, &[score; 50])]);
    assert!(breached("LLMRetrievalScoreLow", &scores(500), Some(&scores(820))));
    assert!(!breached("LLMRetrievalScoreLow", &scores(780), Some(&scores(820))));
}

/// Proves that any leak breaches and none does not.
#[test]
fn one_leak_is_enough() {
    let leaks = |leaks| window(&[(Count::Ok, 100_000), (Count::Leak, leaks)], &[]);
    assert!(breached("LLMDataLeak", &leaks(1), None));
    assert!(breached("LLMDataLeak", &leaks(1), Some(&leaks(0))));
    assert!(breached("LLMDataLeak", &leaks(1), Some(&leaks(5))));
    assert!(!breached("LLMDataLeak", &leaks(0), None));
    assert!(!breached("LLMDataLeak", &leaks(0), Some(&leaks(5))));
}

/// Proves what the windows around a window add: a recent one with enough samples decides early, a longer one
/// decides for a window with few samples that is on the wrong side itself, and neither does otherwise.
#[test]
fn nested_windows_tell_early_and_patiently() {
    let rule = rule("LLMQualityDegradation");
    let nested = |recent: Window, window: Window, extended: Window| {
        judge_nested(&rule, &Nested { recent: [recent, quality(100, 25)], window, extended }, None)
    };
    let (steady, long) = (quality(250, 50), quality(750, 150));
    let Verdict::Breached { estimate, .. } = nested(quality(15, 45), steady.clone(), long.clone()) else {
        panic!("the last minute tells")
    };
    assert_eq!(estimate.samples, 60);
    let unmoved = judge(&rule, &steady, None);
    assert_eq!(nested(quality(4, 10), steady.clone(), long), unmoved, "too few samples for a recent window");
    let Verdict::Breached { estimate, .. } = nested(quality(3, 1), quality(9, 5), quality(40, 40)) else {
        panic!("the longer window tells")
    };
    assert_eq!(estimate.samples, 80);
    assert_eq!(nested(quality(9, 1), steady, quality(40, 400)), unmoved, "it is over");
    let few = nested(quality(0, 0), quality(0, 4), quality(0, 400));
    assert_eq!(few, Verdict::InsufficientData { samples: 4 }, "nothing is known to go on");
}

proptest! {
    /// Proves the definition for every rule of shares and any counts: what breaches is beyond its limit with the
    /// whole 95 % interval, what has too few samples says so, and worse is never better.
    #[test]
    fn a_breach_is_beyond_its_limit_with_certainty(good in 0_u64..400, bad in 0_u64..400, learned_bad in 0_u64..200) {
        let rule = rule("LLMQualityDegradation");
        let baseline = quality(1_000 - learned_bad, learned_bad);
        match judge(&rule, &quality(good, bad), Some(&baseline)) {
            Verdict::InsufficientData { samples } => prop_assert!(samples == good + bad && samples < rule.samples_min),
            Verdict::Healthy { .. } => {}
            Verdict::Breached { estimate, limit, .. } => {
                prop_assert!(estimate.value < limit && estimate.ci_high < limit, "{estimate:?} {limit}");
                let worse = judge(&rule, &quality(good.saturating_sub(1), bad + 1), Some(&baseline));
                let breached = matches!(worse, Verdict::Breached { .. });
                prop_assert!(breached, "{worse:?}");
            }
        }
    }

    /// Proves the same for quantiles: a breached p95 is above its limit.
    #[test]
    fn a_breached_quantile_is_beyond_its_limit(slow in 0_usize..100, fast in 0_usize..100) {
        if let Verdict::Breached { estimate, limit, .. } = judge(&rule("LLMLatencyHigh"), &latency(slow, slow + fast), None) {
            prop_assert!(estimate.value > limit);
        }
    }
}
