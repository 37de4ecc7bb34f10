//! When to try again: exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"),
//! on top of the pause the next hop asked for.

use std::time::Duration;

use crate::config::Retry;

/// The pause before the next attempt, or `None` when it would end after `max_elapsed_time`.
///
/// `retries` counts the pauses made so far, `elapsed` is the time since the first attempt, `hint` what the next hop
/// asked for (waited for in full), and `fraction`, in 0..1, is the random part.
pub(super) fn pause(
    policy: &Retry,
    retries: u32,
    elapsed: Duration,
    hint: Option<Duration>,
    fraction: f64,
) -> Option<Duration> {
    let ceiling = policy.initial_interval.saturating_mul(2u32.saturating_pow(retries)).min(policy.max_interval);
    let pause = hint.unwrap_or_default().saturating_add(ceiling.mul_f64(fraction));
    (elapsed.saturating_add(pause) <= policy.max_elapsed_time).then_some(pause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis() -> impl Strategy<Value = Duration> {
        prop_oneof![0..10_000u64, any::<u64>()].prop_map(Duration::from_millis)
    }

    proptest! {
        /// A pause is never shorter than the hint, never longer than hint and ceiling, never reaches past
        /// `max_elapsed_time`, and is only refused when it would.
        #[test]
        fn pause_keeps_its_bounds(
            initial_interval in millis(),
            max_interval in millis(),
            max_elapsed_time in millis(),
            retries in any::<u32>(),
            elapsed in millis(),
            hint in proptest::option::of(millis()),
            fraction in 0.0..1.0f64,
        ) {
            let policy = Retry { initial_interval, max_interval, max_elapsed_time };
            let asked = hint.unwrap_or_default();
            match pause(&policy, retries, elapsed, hint, fraction) {
                Some(pause) => {
                    prop_assert!(pause >= asked);
                    prop_assert!(pause <= asked.saturating_add(max_interval));
                    prop_assert!(elapsed.saturating_add(pause) <= max_elapsed_time);
                }
                None => prop_assert!(
                    elapsed.saturating_add(asked).saturating_add(max_interval) > max_elapsed_time
                ),
            }
        }
    }

    /// The ceiling doubles from the first interval to the longest.
    #[test]
    fn ceiling_doubles() {
        let policy = Retry {
            initial_interval: Duration::from_secs(5),
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        };
        let seconds: Vec<u64> =
            (0..5).map(|retries| pause(&policy, retries, Duration::ZERO, None, 1.0).unwrap().as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 30, 30]);
    }
}
