//! False alarms and delays of the detectors on simulated traffic. The full table is `cargo bench --bench detection`; here
//! is what must hold of it, in short.

mod feature;
mod traffic;

use feature::{Feature, built_in};
use traffic::{HOUR, Traffic, USUAL};

use freezeframe::core::rules;

/// Slots until `name` fires under `traffic`, from the median of `seeds` features that had so many good hours.
fn median_delay(name: &str, usual: Traffic, changed: Traffic, hours: u64, seeds: u64) -> u64 {
    let mut delays: Vec<u64> = (0..seeds)
        .map(|seed| {
            let mut feature = Feature::new(seed, 0.04, vec![built_in(name)]);
            let early = (0..hours * HOUR).any(|_| !feature.slot(&usual).is_empty());
            assert!(!early, "{name} fires before anything happens, seed {seed}");
            (1..=6 * HOUR).find(|_| !feature.slot(&changed).is_empty()).unwrap_or(u64::MAX / 10)
        })
        .collect();
    delays.sort_unstable();
    delays[delays.len() / 2] * 10
}

/// Proves the delays that are promised: the three drops within two minutes at a request a second and half a minute at ten,
/// and a drop of four points within ten minutes at ten.
#[test]
fn drops_are_found_in_time() {
    let drops = [
        ("LLMQualityDegradation", Traffic { good: 0.68, ..USUAL }),
        ("LLMToolFailures", Traffic { tool_ok: 0.72, ..USUAL }),
        ("LLMLatencyHigh", Traffic { latency_p95: 9.2, ..USUAL }),
    ];
    for (name, changed) in drops {
        for (per_second, seconds) in [(1.0, 120), (10.0, 30)] {
            let at = |traffic| Traffic { per_second, ..traffic };
            let delay = median_delay(name, at(USUAL), at(changed), 2, 3);
            assert!(delay <= seconds, "{name} at {per_second}/s takes {delay} s");
        }
    }
    let at = |good| Traffic { per_second: 10.0, good, ..USUAL };
    let delay = median_delay("LLMQualityDegradation", at(0.92), at(0.88), 36, 1);
    assert!(delay <= 600, "92 to 88 % takes {delay} s");
}

/// Proves the silence that is promised, in short: two days of a request in ten seconds that wander by 8 %, and half a day of
/// one a second, raise no alert of any built-in rule.
#[test]
fn wandering_traffic_is_silent() {
    for (per_second, slots) in [(0.1, 48 * HOUR), (1.0, 12 * HOUR)] {
        let mut feature = Feature::new(42, 0.08, rules::built_in());
        let traffic = Traffic { per_second, ..USUAL };
        let fired: Vec<_> = (0..slots).flat_map(|_| feature.slot(&traffic)).collect();
        assert!(fired.is_empty(), "{per_second}/s: {fired:?}");
    }
}
