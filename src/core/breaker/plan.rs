//! The built-in breakers: what trips each, what it does, what users notice, and the way back.

use std::time::Duration;

use super::{Mode, Policy};
use crate::core::incident::Class;

/// The breaker of one incident class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Incident class.
    pub class: Class,
    /// How it behaves.
    pub policy: Policy,
    /// Alerts that open it, by `alertname`.
    pub trigger: &'static [&'static str],
    /// What the application does while it is open.
    pub action: &'static str,
    /// What users notice meanwhile.
    pub user_impact: &'static str,
    /// How it closes, and what must be true before.
    pub rollback: &'static str,
}

/// One plan a class, in order of [`Class::ALL`]. All start in shadow: a breaker acts only where somebody said so.
pub const PLANS: [Plan; 5] = [
    Plan {
        class: Class::RetrievalOutage,
        policy: policy(30, 0.1, 10),
        trigger: &["LLMRetrievalOutage", "LLMRetrievalEmpty"],
        action: "Skip retrieval; answer from the backup index or cached answers, else say that the knowledge base is \
                 unavailable. Never answer ungrounded.",
        user_impact: "Common questions get answers that may be some hours old; the rest get an honest apology and \
                      a way to a person.",
        rollback: "Restore the index, check that known questions find their documents; the breaker lets every \
                   tenth request try and closes after ten hits in a row.",
    },
    Plan {
        class: Class::QualityDegradation,
        policy: policy(120, 0.05, 20),
        trigger: &[
            "LLMQualityCollapse",
            "LLMQualityDegradation",
            "LLMEvaluationFailing",
            "LLMEvaluationScoreLow",
            "LLMRefusalSpike",
        ],
        action: "Route to the last good prompt revision and model named in the freeze frame; where there is none, \
                 answer from templates and hand over to a person.",
        user_impact: "Answers as before the change; new abilities of the withdrawn revision are missing.",
        rollback: "Replay the failing requests of the frame on the fixed revision and compare; the breaker lets \
                   every twentieth request try and closes after twenty good answers in a row.",
    },
    Plan {
        class: Class::PerformanceDegradation,
        policy: policy(30, 0.1, 10),
        trigger: &["LLMOutage", "LLMErrorRateHigh", "LLMLatencyHigh", "LLMToolFailures"],
        action: "Route to the faster model or the second provider, switch off slow or failing tools, shorten the \
                 context, and fail fast instead of queueing.",
        user_impact: "Quick but simpler answers; what needs a tool is declined with a reason.",
        rollback: "When latency and errors of provider and tools are back to the baseline; every tenth request \
                   tries and ten in a row close the breaker.",
    },
    Plan {
        class: Class::CostSpike,
        policy: policy(300, 0.05, 20),
        trigger: &["LLMCostSpike", "LLMTokenSpike", "LLMRetryStorm"],
        action: "Cap output tokens and tool rounds, stop automatic retries, route to the cheaper model, and limit \
                 the rate of the dearest users.",
        user_impact: "Shorter answers from a smaller model; heavy users wait.",
        rollback: "Find the loop or the context that grew, confirm tokens a request on replayed requests; every \
                   twentieth request tries and twenty in a row close the breaker.",
    },
    Plan {
        class: Class::DataIncident,
        policy: policy(900, 0.01, 100),
        trigger: &["LLMDataLeak"],
        action: "Stop capturing and exporting content, withhold answers that contain the leaked kind of data, and \
                 quarantine the traces already stored.",
        user_impact: "The feature answers without personal details or is off; those affected are told.",
        rollback: "By hand, after the leak is closed, stored data erased and the privacy officer agrees: keep it \
                   forced open until then, since a hundred clean requests prove little.",
    },
];

impl Plan {
    /// The plan of a class.
    #[must_use]
    pub fn of(class: Class) -> &'static Self {
        match class {
            Class::RetrievalOutage => &PLANS[0],
            Class::QualityDegradation => &PLANS[1],
            Class::PerformanceDegradation => &PLANS[2],
            Class::CostSpike => &PLANS[3],
            Class::DataIncident => &PLANS[4],
        }
    }
}

const fn policy(open_for_secs: u64, probe_share: f64, probes: u32) -> Policy {
    Policy { mode: Mode::Shadow, open_for: Duration::from_secs(open_for_secs), probe_share, probes }
}
