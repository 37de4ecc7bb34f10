//! The few statistics that everything else stands on.

/// 97.5 % quantile of the standard normal distribution.
pub const Z: f64 = 1.959_963_984_540_054;

/// The 95 % score interval of a proportion (Wilson 1927): `successes` of `trials`. No trials: `(0, 1)`.
#[must_use]
pub fn wilson(successes: u32, trials: u32) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = f64::from(trials);
    let p = f64::from(successes) / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// Two-sided probability, of a fair coin, of a result as uneven as `heads` of `throws` (exact). No throws: 1.
#[must_use]
pub fn binomial_two_sided(heads: u32, throws: u32) -> f64 {
    let fewer = heads.min(throws.saturating_sub(heads));
    // Logarithms: 2^-throws is nothing from a thousand throws on.
    let (mut ways, mut tail) = (f64::from(throws) * 0.5_f64.ln(), 0.0);
    for k in 0..=fewer {
        tail += ways.exp();
        ways += (f64::from(throws - k) / f64::from(k + 1)).ln();
    }
    (2.0 * tail).min(1.0)
}

/// Probability that a chi-square variable exceeds `x`: exact for one degree of freedom, else by the cube-root
/// approximation of Wilson and Hilferty (1931), which is within 15 % down to 0.001. No degrees of freedom: 1.
#[must_use]
pub fn chi_square_survival(x: f64, degrees: u32) -> f64 {
    if degrees == 0 || x <= 0.0 {
        return 1.0;
    }
    if degrees == 1 {
        return 2.0 * normal_survival(x.sqrt());
    }
    let k = f64::from(degrees);
    let spread = 2.0 / (9.0 * k);
    normal_survival(((x / k).cbrt() - (1.0 - spread)) / spread.sqrt())
}

/// Probability that a standard normal variable exceeds `z` (Abramowitz and Stegun 26.2.17, error below 1e-7).
fn normal_survival(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly;
    if z < 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the interval against published values (Wilson, 95 %).
    #[test]
    fn wilson_matches_published_values() {
        for ((successes, trials), (low, high)) in [
            ((6, 10), (0.3127, 0.8318)),
            ((0, 10), (0.0, 0.2775)),
            ((10, 10), (0.7225, 1.0)),
            ((68, 100), (0.5834, 0.7633)),
        ] {
            let (found_low, found_high) = wilson(successes, trials);
            assert!((found_low - low).abs() < 5e-4 && (found_high - high).abs() < 5e-4, "{successes}/{trials}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    /// Proves the sign test at values that can be counted by hand, and that nothing is unlikely about balance.
    #[test]
    fn the_sign_test_is_exact() {
        for (heads, throws, p) in
            [(0, 0, 1.0), (0, 1, 1.0), (0, 5, 0.0625), (6, 6, 0.03125), (1, 8, 0.0703125), (5, 10, 1.0)]
        {
            let found = binomial_two_sided(heads, throws);
            assert!((found - p).abs() < 1e-12, "{heads} of {throws}: {found}");
        }
        assert!(binomial_two_sided(900, 2000) < 1e-4 && binomial_two_sided(1000, 2000) > 0.99);
    }

    /// Proves the tail probability at the usual critical values.
    #[test]
    fn chi_square_matches_critical_values() {
        for (x, degrees, p) in [(3.841, 1, 0.05), (10.828, 1, 0.001), (18.307, 10, 0.05), (29.588, 10, 0.001)] {
            assert!((chi_square_survival(x, degrees) / p - 1.0).abs() < 0.15, "{x} at {degrees}");
        }
    }
}
