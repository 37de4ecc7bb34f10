//! How many features may be open at once, so that one cause, or one bad rule, does not switch off the whole service
//! (Envoy's `max_ejection_percent`).

use std::collections::BTreeSet;
use std::fmt;

use super::{Mode, State};

/// The most features whose breakers may be open at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cap {
    /// So many.
    Features(u32),
    /// This share of the features there are, 0 to 1, rounded up: one is always allowed.
    Share(f64),
}

/// One breaker as the cap sees it.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Its feature; `None` for the whole service, which is none.
    pub feature: Option<&'a str>,
    /// Where it stands.
    pub state: State,
    /// Its mode as configured.
    pub mode: Mode,
}

impl Cap {
    /// Places among so many features.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "features are few"
    )]
    pub fn places(self, features: usize) -> usize {
        match self {
            Self::Features(count) => count as usize,
            Self::Share(share) => (((features as f64) * share - 1e-9).ceil() as usize).max(1),
        }
    }

    /// Whether one more breaker, of `feature` and in `mode`, may open by itself beside `all` there are. A feature that
    /// is open already takes no second place. One in shadow is counted among all, an acting one among those that act:
    /// what a shadow would do keeps nobody from acting. The whole service needs a place for every feature.
    #[must_use]
    pub fn has_room<'a>(
        self,
        feature: Option<&str>,
        mode: Mode,
        features: usize,
        all: impl IntoIterator<Item = Holder<'a>>,
    ) -> bool {
        let places = self.places(features);
        let Some(feature) = feature else { return features <= places };
        let open = open_features(all, mode);
        open.contains(feature) || open.len() < places
    }

    /// Whether more features are kept away from than the cap allows.
    #[must_use]
    pub fn is_exceeded<'a>(self, features: usize, all: impl IntoIterator<Item = Holder<'a>>) -> bool {
        open_features(all, Mode::Enforce).len() > self.places(features)
    }
}

/// Features with an open breaker: of those that act, or of all as a shadow sees them.
fn open_features<'a>(all: impl IntoIterator<Item = Holder<'a>>, seen_by: Mode) -> BTreeSet<&'a str> {
    let counts = |it: &Holder<'_>| seen_by == Mode::Shadow || it.mode.in_state(it.state) == Mode::Enforce;
    all.into_iter().filter(|it| it.state.is_open() && counts(it)).filter_map(|it| it.feature).collect()
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Features(count) => write!(f, "{count}"),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
        }
    }
}
