//! What else a request is measured by, beside the signal that alarms.

/// A second measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// More output tokens than usual.
    OutputTokens,
    /// More time in the model a token of its output than usual.
    Pace,
    /// Its user was not content.
    Feedback,
}

/// A request of which a mark is not told, and one that is not beyond what is usual.
pub(super) const UNTOLD: u8 = 0;
pub(super) const USUAL: u8 = 1;
pub(super) const BEYOND: u8 = 2;

impl Mark {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All of them, by [`Mark::index`].
    pub const ALL: [Self; Self::COUNT] = [Self::OutputTokens, Self::Pace, Self::Feedback];

    /// Its place.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in a frame.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OutputTokens => "output_tokens",
            Self::Pace => "pace",
            Self::Feedback => "feedback",
        }
    }
}
