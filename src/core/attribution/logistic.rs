//! Single-precision logistic functions without branches or calls, so that a column of them is computed by vector
//! instructions.

/// Beyond this the logistic function is 0 or 1 in single precision.
const LIMIT: f32 = 30.0;

/// `1 / (1 + e^-x)`, relative error below 1e-6.
#[must_use]
#[inline]
pub(super) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x.clamp(-LIMIT, LIMIT)))
}

/// `1 / (1 + e^-x)` and one less that, each with its own relative precision.
#[must_use]
#[inline]
pub(super) fn logistic_and_rest(x: f32) -> (f32, f32) {
    let inverse = exp(-x.clamp(-LIMIT, LIMIT));
    let rate = 1.0 / (1.0 + inverse);
    (rate, inverse * rate)
}

/// `ln(p / (1 - p))`.
#[must_use]
pub(super) fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// `2^n` times a polynomial on `[-0.5, 0.5]` (Cephes' `expf`).
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let n = x * std::f32::consts::LOG2_E + ROUND;
    let bits = n.to_bits().wrapping_sub(ROUND.to_bits());
    let n = n - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let poly =
        ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 0.166_666_66) * r + 0.5;
    let power = f32::from_bits(bits.wrapping_add(127) << 23);
    (poly * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves the approximations against the library's functions.
    #[test]
    fn agree_with_the_library() {
        for n in -4_000..=4_000 {
            let x = n as f32 / 100.0;
            let exact = 1.0 / (1.0 + (-f64::from(x).clamp(-30.0, 30.0)).exp());
            assert!((f64::from(logistic(x)) / exact - 1.0).abs() < 2e-6, "logistic({x})");
            let (rate, rest) = logistic_and_rest(x);
            assert_eq!(rate, logistic(x));
            let exact = 1.0 / (1.0 + f64::from(x).clamp(-30.0, 30.0).exp());
            assert!((f64::from(rest) / exact - 1.0).abs() < 2e-6, "rest({x})");
        }
        assert!((logit(0.25) + 3f64.ln()).abs() < 1e-12);
    }
}
