//! The failures a drill can rehearse.

use std::time::Duration;

use crate::core::incident::Class;
use crate::core::signal::Signal;
use crate::toolkit::traffic::Exchange;

/// One failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The index answers nothing after a reindex
    #[default]
    RetrievalOutage,
    /// A rerouted model takes twelve seconds
    LatencySpike,
    /// A new prompt version gives answers that the judge fails
    QualityDegradation,
}

impl Scenario {
    /// The class of incident it must raise.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::RetrievalOutage => Class::RetrievalOutage,
            Self::LatencySpike => Class::PerformanceDegradation,
            Self::QualityDegradation => Class::QualityDegradation,
        }
    }

    /// The signal that shows it best.
    #[must_use]
    pub fn signal(self) -> Signal {
        match self {
            Self::RetrievalOutage => Signal::EmptyRetrievalRatio,
            Self::LatencySpike => Signal::LatencyP95,
            Self::QualityDegradation => Signal::Quality,
        }
    }

    /// What is injected, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::RetrievalOutage => "index 2026-11-22 answers with no documents",
            Self::LatencySpike => "model gpt-4o-2024-11-20 takes 12 s",
            Self::QualityDegradation => "prompt support-answer@v41 gives answers that the judge fails",
        }
    }

    /// The request as the failure leaves it.
    #[must_use]
    pub fn inject(self, exchange: Exchange) -> Exchange {
        match self {
            Self::RetrievalOutage => {
                Exchange { index_version: "2026-11-22", documents: &[], relevance: 0.2, ..exchange }
            }
            Self::LatencySpike => Exchange { model: "gpt-4o-2024-11-20", latency: Duration::from_secs(12), ..exchange },
            Self::QualityDegradation => Exchange { prompt_version: "v41", relevance: 0.2, ..exchange },
        }
    }

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetrievalOutage => "retrieval-outage",
            Self::LatencySpike => "latency-spike",
            Self::QualityDegradation => "quality-degradation",
        }
    }
}
