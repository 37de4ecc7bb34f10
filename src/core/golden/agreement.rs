//! How far a judge agrees with people.

use serde_json::{Value as Json, json};

use super::Scored;
use crate::core::statistics::{Z, wilson};

/// The verdicts of a judge beside the labels of people. Items without a verdict are counted apart: they are neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Both pass.
    pub true_passes: u32,
    /// Both fail.
    pub true_fails: u32,
    /// The judge passes what people fail.
    pub false_passes: u32,
    /// The judge fails what people pass.
    pub false_fails: u32,
    /// No verdict.
    pub errors: u32,
}

impl Agreement {
    /// Counts.
    #[must_use]
    pub fn of(scored: &[Scored]) -> Self {
        let mut found = Self::default();
        for one in scored {
            *match (one.passed, one.label) {
                (Some(true), true) => &mut found.true_passes,
                (Some(false), false) => &mut found.true_fails,
                (Some(true), false) => &mut found.false_passes,
                (Some(false), true) => &mut found.false_fails,
                (None, _) => &mut found.errors,
            } += 1;
        }
        found
    }

    /// Items with a verdict.
    #[must_use]
    pub fn judged(&self) -> u32 {
        self.agreed() + self.false_passes + self.false_fails
    }

    /// Those on which both agree.
    #[must_use]
    pub fn agreed(&self) -> u32 {
        self.true_passes + self.true_fails
    }

    /// Share of the items with a verdict on which both agree; `None` without any.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let judged = self.judged();
        (judged > 0).then(|| f64::from(self.agreed()) / f64::from(judged))
    }

    /// Its 95 % score interval (Wilson).
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        wilson(self.agreed(), self.judged())
    }

    /// Cohen's kappa (1960): 1 agrees always, 0 as chance would. `None` where chance alone agrees always: when the judge and
    /// the people both have one word for everything.
    #[must_use]
    pub fn kappa(&self) -> Option<f64> {
        let expected = self.by_chance()?;
        (expected < 1.0).then_some((self.share()? - expected) / (1.0 - expected))
    }

    /// Its 95 % interval, by the standard error of Cohen.
    #[must_use]
    pub fn kappa_interval(&self) -> Option<(f64, f64)> {
        let (kappa, share, expected) = (self.kappa()?, self.share()?, self.by_chance()?);
        let error = (share * (1.0 - share) / f64::from(self.judged())).sqrt() / (1.0 - expected);
        Some(((kappa - Z * error).max(-1.0), (kappa + Z * error).min(1.0)))
    }

    fn by_chance(&self) -> Option<f64> {
        let judged = f64::from(Some(self.judged()).filter(|it| *it > 0)?);
        let passes = |one: u32| f64::from(self.true_passes + one) / judged;
        let (judge, people) = (passes(self.false_passes), passes(self.false_fails));
        Some(judge * people + (1.0 - judge) * (1.0 - people))
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let (low, high) = self.interval();
        json!({
            "share": self.share(),
            "interval": [low, high],
            "kappa": self.kappa(),
            "kappa_interval": self.kappa_interval().map(|(low, high)| [low, high]),
            "judged": self.judged(),
            "true_passes": self.true_passes,
            "true_fails": self.true_fails,
            "false_passes": self.false_passes,
            "false_fails": self.false_fails,
            "errors": self.errors,
        })
    }
}
