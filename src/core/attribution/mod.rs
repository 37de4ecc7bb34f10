//! Which variable moved between baseline and incident, and does its move explain the change of the signal.
//!
//! Requests are rows of [`dimension::Dimension`]s, in two windows. A logistic model of the baseline says what would fail if
//! nothing had happened. Against it, [`explain()`] sets two kinds of change: shares that shifted between values whose
//! rates are known (`movement`), and values that fail more than they did, or that are new (`scan`, `conditioning`), each given
//! what stronger causes explain. A variable that moved and explains nothing is innocent: rollouts are the norm, and naming the
//! biggest one is wrong more often than right. What no recorded variable explains is said to be just that.
//!
//! Measured on simulated incidents and described in `docs/attribution.md`.

mod breakdown;
mod candidates;
mod conditioning;
pub mod dimension;
mod explanation;
mod logistic;
mod mark;
mod model;
mod movement;
mod reading;
mod scan;
mod shift;
mod signature;
mod table;
mod verdict;

pub use breakdown::{Breakdown, Part};
pub use explanation::{Explanation, Finding, Share, explain};
pub use mark::Mark;
pub use reading::{Reading, judges, reading};
pub use shift::{Movement, Value, movement};
pub use table::{PARTS, ROWS_MAX, Side};
pub use verdict::{Answer, Standing, Suspect, Verdict, Wording};

#[cfg(test)]
mod tests;
