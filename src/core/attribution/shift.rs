//! Whether a variable moved at all: the shares of its values on both sides, whatever fails.

use crate::core::statistics::chi_square_survival;

/// Requests a side needs before its shares are compared.
const REQUESTS_MIN: u32 = 10;
/// Shares that differ by less than this in total have not moved.
const DISTANCE_MIN: f64 = 0.05;
/// Chance of a false "moved", per variable.
const P_VALUE_MAX: f64 = 0.001;

/// One value of a variable on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Requests of the incident window.
    pub incident: u32,
    /// Requests of the baseline.
    pub baseline: u32,
}

/// Whether a variable moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Movement {
    /// `None` when a side has too few requests to say.
    pub moved: Option<bool>,
    /// Total variation between the shares, 0 to 1.
    pub distance: Option<f64>,
    /// Of the G-test of homogeneity.
    pub p_value: Option<f64>,
}

/// Compares the shares of a variable's values: it moved when they differ by more than chance and by more than a trifle.
#[must_use]
pub fn movement(values: &[Value]) -> Movement {
    let total = |side: fn(&Value) -> u32| values.iter().map(side).sum::<u32>();
    let (incident, baseline) = (total(|it| it.incident), total(|it| it.baseline));
    if incident < REQUESTS_MIN || baseline < REQUESTS_MIN {
        return Movement { moved: None, distance: None, p_value: None };
    }
    let apart = |it: &Value| (share(it.incident, incident) - share(it.baseline, baseline)).abs() / 2.0;
    let distance: f64 = values.iter().map(apart).sum();
    let p_value = g_test(values, incident, baseline);
    let moved = distance >= DISTANCE_MIN && p_value <= P_VALUE_MAX;
    Movement { moved: Some(moved), distance: Some(distance), p_value: Some(p_value) }
}

fn g_test(values: &[Value], incident: u32, baseline: u32) -> f64 {
    let all = f64::from(incident) + f64::from(baseline);
    let (mut g, mut cells) = (0.0, 0u32);
    for value in values {
        let both = f64::from(value.incident) + f64::from(value.baseline);
        if both == 0.0 {
            continue;
        }
        cells += 1;
        for (seen, side) in [(value.incident, incident), (value.baseline, baseline)] {
            let (seen, expected) = (f64::from(seen), both * f64::from(side) / all);
            if seen > 0.0 {
                g += 2.0 * seen * (seen / expected).ln();
            }
        }
    }
    chi_square_survival(g, cells.saturating_sub(1))
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that chance is no move, a rollout is one, and too few requests say nothing.
    #[test]
    fn chance_is_not_a_move() {
        let of = |values: &[(u32, u32)]| {
            let values: Vec<Value> =
                values.iter().map(|(incident, baseline)| Value { incident: *incident, baseline: *baseline }).collect();
            movement(&values).moved
        };
        assert_eq!(of(&[(52, 480), (48, 520)]), Some(false));
        assert_eq!(of(&[(52, 1_000), (48, 0)]), Some(true));
        assert_eq!(of(&[(5, 480)]), None);
    }
}
