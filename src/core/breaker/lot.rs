//! The lot a request draws while a breaker is half-open.

use sha2::{Digest, Sha256};

use crate::core::time::UnixNanos;

/// A number in 0..1 for `key`, always the same in the half-open phase that began at `since`. The phase is part of it so
/// that it is not always the same users who try a feature out.
#[must_use]
pub fn lot(feature: &str, since: UnixNanos, key: &[u8]) -> f64 {
    let hash = Sha256::new().chain_update(feature).chain_update(since.0.to_be_bytes()).chain_update(key).finalize();
    unit(hash.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
}

/// A number in 0..1 for the n-th asker without a key. Multiples of the golden ratio spread evenly at once, whatever the
/// share (Weyl).
#[must_use]
pub fn lot_in_turn(turn: u64) -> f64 {
    unit(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The upper 53 bits as a fraction.
#[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds exactly")]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
