use proptest::prelude::*;

use super::*;
use crate::core::request::tests::request;
use crate::core::request::{ModelCall, Prompt};

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
/// More than any test asks for.
const ENOUGH: usize = 1_000_000_000;

fn traced(n: u64) -> Request {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    Request { trace_id: TraceId(id), ..request() }
}

fn versioned(n: u64, version: &str) -> Request {
    Request { prompt: Prompt { version: Some(version.into()), ..Prompt::default() }, ..traced(n) }
}

fn settings(share: f64, failing: f64, per_value: usize) -> Settings {
    Settings { share, failing, per_value, per_minute: ENOUGH }
}

/// Proves which reason is given: the sample of all before that of failures before that of new values, and none by default.
#[test]
fn the_first_reason_that_holds_is_given() {
    for (share, failing, per_value, is_failing, expected) in [
        (1.0, 1.0, 5, true, Some(Sampled::Uniform)),
        (0.0, 1.0, 5, true, Some(Sampled::Failing)),
        (0.0, 1.0, 5, false, Some(Sampled::Value)),
        (0.0, 1.0, 0, false, None),
        (0.0, 0.0, 0, true, None),
    ] {
        let mut sampler = Sampler::new(settings(share, failing, per_value), NOW);
        assert_eq!(
            sampler.choose(&versioned(1, "v1"), || is_failing, NOW),
            Ok(expected),
            "{share} {failing} {per_value}"
        );
    }
}

/// Proves that every value gets its few requests an hour and no more, those chosen for another reason among them, and that
/// a request without any value has none.
#[test]
fn every_value_is_judged_a_few_times_an_hour() {
    let mut sampler = Sampler::new(settings(0.0, 1.0, 3), NOW);
    let mut chosen = |version: &str, failing: bool, now: UnixNanos| {
        (0..10).filter(|n| sampler.choose(&versioned(*n, version), || failing, now) == Ok(Some(Sampled::Value))).count()
    };
    assert_eq!(chosen("v1", false, NOW), 3);
    assert_eq!(chosen("v2", false, NOW), 3);
    assert_eq!((chosen("v3", true, NOW), chosen("v3", false, NOW)), (0, 0), "its failures were judged");
    assert_eq!(chosen("v1", false, NOW.plus(HOUR)), 3);

    let call = |model: &str| ModelCall { model_served: Some(model.into()), ..ModelCall::default() };
    let served = |model: &str| Request { calls: vec![call(model)], ..versioned(1, "v1") };
    assert_eq!(sampler.choose(&served("gpt-5"), || false, NOW.plus(HOUR)), Ok(Some(Sampled::Value)), "a new model");
    assert_eq!(sampler.choose(&Request { calls: Vec::new(), ..traced(2) }, || false, NOW), Ok(None));
}

/// Proves that values beyond the limit are dropped with a reason, and that memory is bounded.
#[test]
fn values_are_bounded() {
    let mut sampler = Sampler::new(settings(0.0, 0.0, 1), NOW);
    let all = (0..VALUES_MAX as u64 + 50).map(|n| sampler.choose(&versioned(n, &format!("v{n}")), || false, NOW));
    assert_eq!(all.filter(|it| *it == Err(Dropped::Values)).count(), 50);
    assert!(sampler.values.len() <= VALUES_MAX);
}

/// Proves that the rate is kept, that a flood of failures leaves half of what is there to the sample of all, and that
/// time refills.
#[test]
fn the_rate_is_kept() {
    let limited = Settings { share: 0.0, failing: 1.0, per_value: 0, per_minute: 80 };
    let mut sampler = Sampler::new(limited, NOW);
    let chosen = (0..100).filter(|n| sampler.choose(&traced(*n), || true, NOW).is_ok()).count();
    assert_eq!(chosen, 10, "half of a burst of 20");
    assert_eq!(sampler.choose(&traced(1), || true, NOW), Err(Dropped::RateLimit));

    sampler.settings.share = 1.0;
    let chosen = (0..100).filter(|n| sampler.choose(&traced(*n), || true, NOW).is_ok()).count();
    assert_eq!(chosen, 10, "the other half");

    let later = NOW.plus(Duration::from_secs(3));
    let chosen = (0..100).filter(|n| sampler.choose(&traced(*n), || true, later).is_ok()).count();
    assert_eq!(chosen, 4, "80 a minute");
    assert_eq!(
        sampler.choose(&traced(1), || true, NOW),
        Err(Dropped::RateLimit),
        "a clock that steps back gives nothing"
    );

    let mut slow = Sampler::new(Settings { per_minute: 1, ..limited }, NOW);
    assert_eq!(slow.choose(&traced(1), || true, NOW), Ok(Some(Sampled::Failing)), "one a minute is one");
}

proptest! {
    /// Proves that a trace is chosen once and for all: by its id, whatever came before it and whichever sampler is asked.
    #[test]
    fn the_choice_is_the_traces(ids in prop::collection::vec(any::<u64>(), 1..40), share in 0.0..1.0_f64) {
        let alone = |id: u64| Sampler::new(settings(share, 0.0, 0), NOW).choose(&traced(id), || false, NOW);
        let mut sampler = Sampler::new(settings(share, 0.0, 0), NOW);
        for id in ids {
            prop_assert_eq!(sampler.choose(&traced(id), || true, NOW), alone(id));
        }
    }

    /// Proves that the shares hold: of all, and of what failed, that of all among it.
    #[test]
    fn shares_hold(share in 0.05..0.5_f64, more in 0.05..0.5_f64, seed in any::<u32>()) {
        const N: u64 = 4000;
        let failing = share + more;
        let mut sampler = Sampler::new(settings(share, failing, 0), NOW);
        let mut chosen = [0_u32; 2];
        for n in 0..N {
            match sampler.choose(&traced(u64::from(seed) << 32 | n), || true, NOW) {
                Ok(Some(Sampled::Uniform)) => chosen[0] += 1,
                Ok(Some(Sampled::Failing)) => chosen[1] += 1,
                other => prop_assert_eq!(other, Ok(None)),
            }
        }
        let near = |found: u32, expected: f64| {
            // Six standard errors: one run in a billion.
            let error = 6.0 * (expected * (1.0 - expected) / N as f64).sqrt();
            (f64::from(found) / N as f64 - expected).abs() < error
        };
        prop_assert!(near(chosen[0], share), "{chosen:?}");
        prop_assert!(near(chosen[0] + chosen[1], failing), "{chosen:?}");
    }
}

/// Proves that who passed a sampler by the id's own bits, as SDKs and the Collector have them, is chosen as often as anybody.
#[test]
fn samplers_upstream_do_not_matter() {
    let mut sampler = Sampler::new(settings(0.2, 0.0, 0), NOW);
    let passed = (0..4000_u64).map(|n| traced(u64::MAX - n));
    let chosen = passed.filter(|request| sampler.choose(request, || false, NOW).is_ok_and(|it| it.is_some())).count();
    assert!((600..1000).contains(&chosen), "{chosen} of 4000");
}
