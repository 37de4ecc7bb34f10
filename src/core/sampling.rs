//! Which finished requests a judge is asked about, and why. Three reasons, in this order:
//!
//! - `uniform`: a share of all requests, chosen by the trace id alone. Nothing else of the request has a say, so the
//!   verdicts on these are an unbiased sample of the feature's answers: only they count in rates.
//! - `failing`: a share of the requests that went wrong. The draw is the same number, so that the share is of all that went
//!   wrong, those chosen already among them.
//! - `value`: the first few of an hour of every prompt version, served model and index version, so that a rollout is judged
//!   from its first requests.
//!
//! The number is made of the trace id by SHA-256 and not the id's own bits: samplers in the SDK and in the Collector draw by
//! those, and whatever passed them would be chosen more often.
//!
//! All of it is bounded by a token bucket. Its last half is for the uniform sample, which a flood of failures must not
//! thin out.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use super::request::{Request, Sampled, TraceId};
use super::time::UnixNanos;

/// Values counted in one hour; what is new beyond that is not chosen for its value.
pub const VALUES_MAX: usize = 4096;
/// A judge may be asked so much at once: a part of what it may be asked in a minute.
const BURST: f64 = 0.25;
const HOUR: Duration = Duration::from_secs(3600);
const MINUTE_SECONDS: f64 = 60.0;

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of all requests.
    pub share: f64,
    /// Share of those that went wrong.
    pub failing: f64,
    /// Requests an hour of each value, at least.
    pub per_value: usize,
    /// Requests a minute in the long run, at most.
    pub per_minute: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { share: 0.01, failing: 0.5, per_value: 5, per_minute: 60 }
    }
}

/// Why a request that was due is not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The judge was asked as much as it may be.
    RateLimit,
    /// It has a new value, of which there are too many.
    Values,
}

impl Dropped {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Values => "values",
        }
    }
}

/// The choice for one judge.
#[derive(Debug)]
pub struct Sampler {
    settings: Settings,
    /// When the hour began in which `values` were counted.
    hour: UnixNanos,
    values: HashMap<u64, usize, FixedState>,
    tokens: f64,
    filled_at: UnixNanos,
}

impl Sampler {
    /// A sampler that may choose at once.
    #[must_use]
    pub fn new(settings: Settings, now: UnixNanos) -> Self {
        Self {
            hour: now.floor(HOUR),
            values: HashMap::default(),
            tokens: capacity(&settings),
            filled_at: now,
            settings,
        }
    }

    /// Whether the request is to be judged: `Ok(None)` when nothing speaks for it, an error when something does and it is
    /// left out all the same. `failing` tells whether it went wrong, and is
    /// asked only when it matters.
    ///
    /// # Errors
    /// What it was dropped for.
    pub fn choose(
        &mut self,
        request: &Request,
        failing: impl FnOnce() -> bool,
        now: UnixNanos,
    ) -> Result<Option<Sampled>, Dropped> {
        if now.floor(HOUR) != self.hour {
            self.hour = now.floor(HOUR);
            self.values.clear();
        }
        let drawn = drawn(request.trace_id);
        let values = values(request);
        let Settings { share, failing: failing_share, per_value, .. } = self.settings;
        let count = |value: &u64| self.values.get(value).copied().unwrap_or_default();
        let sampled_by = if drawn < share {
            Sampled::Uniform
        } else if drawn < failing_share && failing() {
            Sampled::Failing
        } else if per_value > 0 && values.iter().any(|value| count(value) < per_value) {
            let is_known = |value: &u64| self.values.contains_key(value);
            let new = values.iter().filter(|value| !is_known(value)).count();
            let due = values.iter().any(|value| is_known(value) && count(value) < per_value);
            if !due && self.values.len() + new > VALUES_MAX {
                return Err(Dropped::Values);
            }
            Sampled::Value
        } else {
            return Ok(None);
        };
        if !self.take(sampled_by, now) {
            return Err(Dropped::RateLimit);
        }
        for value in values {
            if self.values.len() < VALUES_MAX || self.values.contains_key(&value) {
                *self.values.entry(value).or_default() += 1;
            }
        }
        Ok(Some(sampled_by))
    }

    /// Takes a token, if there is one for this reason.
    fn take(&mut self, sampled_by: Sampled, now: UnixNanos) -> bool {
        let capacity = capacity(&self.settings);
        let refill = now.since(self.filled_at).as_secs_f64() * self.settings.per_minute as f64 / MINUTE_SECONDS;
        self.tokens = (self.tokens + refill).min(capacity);
        self.filled_at = self.filled_at.max(now);
        let kept = if sampled_by == Sampled::Uniform || capacity < 2.0 { 0.0 } else { capacity / 2.0 };
        let is_taken = self.tokens >= kept + 1.0;
        if is_taken {
            self.tokens -= 1.0;
        }
        is_taken
    }
}

fn capacity(settings: &Settings) -> f64 {
    (settings.per_minute as f64 * BURST).max(1.0)
}

/// A number from 0 to 1, without 1, that is the trace's for ever.
fn drawn(id: TraceId) -> f64 {
    let digest = Sha256::new_with_prefix("freezeframe.sampling").chain_update(id.0).finalize();
    let bits = digest.iter().take(6).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    bits as f64 / (1_u64 << 48) as f64
}

/// What a rollout changes, as digests: prompt version, served models, index versions, each of the feature.
fn values(request: &Request) -> Vec<u64> {
    let prompt = request.prompt.version.as_deref().map(|it| ("prompt", it));
    let models = request.calls.iter().filter_map(|it| it.model_served.as_deref()).map(|it| ("model", it));
    let indexes = request.retrievals.iter().filter_map(|it| it.index_version.as_deref()).map(|it| ("index", it));
    let all = prompt.into_iter().chain(models).chain(indexes);
    let mut values: Vec<u64> =
        all.map(|(what, value)| FixedState::default().hash_one((&*request.feature, what, value))).collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests;
