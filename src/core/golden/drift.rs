//! Whether a judge says what it said before.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Run, Scored};
use crate::core::statistics::{Z, binomial_two_sided};

/// Share of verdicts that may flip without that being a drift.
pub const FLIPPED_MAX: f64 = 0.05;
/// Two-sided probability below which flips in one direction are no chance.
const P_MAX: f64 = 0.05;
/// A shift of the mean score below this is none, however sure.
const SHIFT_MIN: f64 = 0.05;

/// An item whose verdict is another.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// Which.
    pub id: String,
    /// Whether it passes now.
    pub passes: bool,
    /// What people think.
    pub label: bool,
    /// Score before and now.
    pub scores: [Option<f64>; 2],
}

/// Two runs of a judge over the same items.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Items with a verdict in both.
    pub compared: u32,
    /// In order of id.
    pub flips: Vec<Flip>,
    /// McNemar's exact test of the flips (two-sided): how likely they are if either direction is.
    pub p: f64,
    /// Mean of the score's changes with half the width of its 95 % interval, of the items with a score in both.
    pub shift: Option<(f64, f64)>,
    /// Whether both runs are over the same file.
    pub is_same_set: bool,
    /// Why it is a drift; empty when it is none.
    pub reasons: Vec<String>,
}

impl Drift {
    /// Compares `now` with `before`; `flipped_max` is the share of flips that is allowed.
    #[must_use]
    pub fn between(before: &Run, now: &Run, flipped_max: f64) -> Self {
        let known: BTreeMap<&str, &Scored> = before.items.iter().map(|it| (it.id.as_str(), it)).collect();
        let pairs: Vec<(&Scored, &Scored)> =
            now.items.iter().filter_map(|it| Some((*known.get(it.id.as_str())?, it))).collect();
        let mut compared = 0;
        let mut flips = Vec::new();
        for (before, now) in &pairs {
            let Some((was, is)) = before.passed.zip(now.passed) else { continue };
            compared += 1;
            if was != is {
                let scores = [before.score, now.score];
                flips.push(Flip { id: now.id.clone(), passes: is, label: now.label, scores });
            }
        }
        flips.sort_by(|a, b| a.id.cmp(&b.id));
        let to_pass = count(flips.iter().filter(|it| it.passes).count());
        let p = binomial_two_sided(to_pass, count(flips.len()));
        let changes: Vec<f64> = pairs.iter().filter_map(|(a, b)| Some(b.score? - a.score?)).collect();
        let mut drift = Self {
            compared,
            p,
            shift: shift(&changes),
            flips,
            is_same_set: before.set == now.set,
            reasons: Vec::new(),
        };
        drift.reasons = drift.reasons_at(flipped_max, to_pass);
        drift
    }

    /// Whether it is one.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        !self.reasons.is_empty()
    }

    /// Share of the compared items that flipped; `None` without any.
    #[must_use]
    pub fn flipped(&self) -> Option<f64> {
        (self.compared > 0).then(|| f64::from(count(self.flips.len())) / f64::from(self.compared))
    }

    fn reasons_at(&self, flipped_max: f64, to_pass: u32) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.compared == 0 {
            reasons.push("no item has a verdict in both runs".to_owned());
        }
        if let Some(share) = self.flipped().filter(|it| *it > flipped_max) {
            let flipped = self.flips.len();
            reasons.push(format!("{flipped} of {} verdicts flipped ({:.1} %)", self.compared, share * 100.0));
        }
        if self.p < P_MAX {
            let to_fail = count(self.flips.len()) - to_pass;
            reasons.push(format!("{to_pass} flipped to pass and {to_fail} to fail (p = {:.3})", self.p));
        }
        if let Some((mean, _)) = self.shift.filter(|(mean, half)| mean.abs() > *half && mean.abs() >= SHIFT_MIN) {
            reasons.push(format!("the mean score moved by {mean:+.2}"));
        }
        reasons
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let word = |passes: bool| if passes { "pass" } else { "fail" };
        let flip = |it: &Flip| {
            json!({
                "id": it.id, "before": word(!it.passes), "now": word(it.passes), "label": word(it.label),
                "score_before": it.scores[0], "score_now": it.scores[1],
            })
        };
        json!({
            "drifted": self.is_drift(),
            "reasons": self.reasons,
            "compared": self.compared,
            "flipped": self.flips.iter().map(flip).collect::<Vec<_>>(),
            "mcnemar_p": self.p,
            "score_shift": self.shift.map(|(mean, _)| mean),
            "score_shift_interval": self.shift.map(|(mean, half)| [mean - half, mean + half]),
            "same_set": self.is_same_set,
        })
    }
}

/// Mean and half of its 95 % interval; `None` of fewer than two changes, which have no spread.
fn shift(changes: &[f64]) -> Option<(f64, f64)> {
    let n = f64::from(Some(count(changes.len())).filter(|it| *it > 1)?);
    let mean = changes.iter().sum::<f64>() / n;
    let spread = changes.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Some((mean, Z * (spread / n).sqrt()))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
