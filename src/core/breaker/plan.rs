//! What a breaker is for: what trips it, what the application does instead, what users notice, and the way back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::{Mode, Policy};
use crate::core::detect::Rule;
use crate::core::incident::{Class, Severity};
use crate::core::request::Request;

/// The plan of one breaker: data for whoever carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Alerts that trip it, by `alertname`; empty for every alert of the class that pages (SEV-1 and SEV-2).
    pub trigger: Vec<Box<str>>,
    /// What the application does instead, for programs.
    pub action: Action,
    /// The tool to leave out.
    pub tool: Option<Arc<str>>,
    /// The model to use.
    pub model: Option<Arc<str>>,
    /// The index to search.
    pub index: Option<Arc<str>>,
    /// The answer to give.
    pub reply: Option<Arc<str>>,
    /// Where requests go: a name the application or its gateway knows.
    pub route: Option<Arc<str>>,
    /// What the application does instead, for people.
    pub instructions: Cow<'static, str>,
    /// What users notice meanwhile.
    pub user_impact: Cow<'static, str>,
    /// How it closes, and what must be true before.
    pub rollback: Cow<'static, str>,
}

/// What an application does with a request that may not go the usual way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer without the failing tool.
    DisableTool,
    /// Answer from the cache of earlier answers.
    FallbackToCache,
    /// Use a cheaper or faster model.
    DowngradeModel,
    /// Use the last good model and prompt revision, whatever the newest are.
    PinModel,
    /// Search another index.
    BackupIndex,
    /// Give a fixed answer.
    SafeReply,
    /// Withhold personal data, and keep what was captured away from everybody.
    RedactAndQuarantine,
}

/// The built-in breaker of one incident class.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// Incident class.
    pub class: Class,
    /// How it behaves.
    pub policy: Policy,
    /// What it is for.
    pub plan: Plan,
}

/// One a class, in order of [`Class::ALL`]. All start in shadow: a breaker acts only where somebody said so.
pub const PLANS: [Preset; 5] = [
    Preset {
        class: Class::RetrievalOutage,
        policy: policy([30, 600, 1800], 0.1, 20, 0.9),
        plan: plan(
            Action::BackupIndex,
            "Skip the index; answer from the backup index or cached answers, else say that the knowledge base is \
             unavailable. Never answer ungrounded.",
            "Common questions get answers that may be some hours old; the rest get an honest apology and a way to a \
             person.",
            "Restore the index and check that known questions find their documents. Every tenth request tries; 18 of \
             20 hits close the breaker.",
        ),
    },
    Preset {
        class: Class::QualityDegradation,
        policy: policy([120, 3600, 3600], 0.05, 20, 0.9),
        plan: plan(
            Action::PinModel,
            "Route to the last good prompt revision and model named in the freeze frame; where there is none, answer \
             from templates and hand over to a person.",
            "Answers as before the change; new abilities of the withdrawn revision are missing.",
            "Replay the failing requests of the frame on the fixed revision and compare. Every twentieth request \
             tries; 18 of 20 good answers close the breaker.",
        ),
    },
    Preset {
        class: Class::PerformanceDegradation,
        policy: policy([30, 600, 1800], 0.1, 20, 0.9),
        plan: plan(
            Action::DowngradeModel,
            "Route to the faster model or the second provider, switch off slow or failing tools, shorten the \
             context, and fail fast instead of queueing.",
            "Quick but simpler answers; what needs a tool is declined with a reason.",
            "When latency and errors of provider and tools are back to the baseline. Every tenth request tries; 18 of \
             20 in time and without error close the breaker.",
        ),
    },
    Preset {
        class: Class::CostSpike,
        policy: policy([300, 7200, 3600], 0.05, 20, 0.9),
        plan: plan(
            Action::DowngradeModel,
            "Cap output tokens and tool rounds, stop automatic retries, route to the cheaper model, and limit the \
             rate of the dearest users.",
            "Shorter answers from a smaller model; heavy users wait.",
            "Find the loop or the context that grew, confirm tokens a request on replayed requests. Every twentieth \
             request tries; 18 of 20 at the usual cost close the breaker.",
        ),
    },
    Preset {
        class: Class::DataIncident,
        policy: policy([900, 86_400, 21_600], 0.01, 100, 1.0),
        plan: plan(
            Action::RedactAndQuarantine,
            "Stop capturing and exporting content, withhold answers that contain the leaked kind of data, and \
             quarantine the traces already stored.",
            "The feature answers without personal details or is off; those affected are told.",
            "By hand, after the leak is closed, stored data erased and the privacy officer agrees: keep it forced \
             open until then, since a hundred clean requests prove little.",
        ),
    },
];

impl Preset {
    /// The built-in breaker of a class.
    #[must_use]
    pub fn of(class: Class) -> Self {
        let [retrieval, quality, performance, cost, data] = PLANS;
        match class {
            Class::RetrievalOutage => retrieval,
            Class::QualityDegradation => quality,
            Class::PerformanceDegradation => performance,
            Class::CostSpike => cost,
            Class::DataIncident => data,
        }
    }
}

impl Plan {
    /// Whether an alert of `rule` trips the breaker of `class` with this plan.
    #[must_use]
    pub fn is_tripped_by(&self, class: Class, rule: &Rule) -> bool {
        let named = self.trigger.contains(&rule.name);
        rule.class == class && (named || (self.trigger.is_empty() && rule.severity != Severity::Sev3))
    }

    /// Whether a request took the way this plan leads: it tells nothing of the usual one and is no probe.
    #[must_use]
    pub fn is_followed_by(&self, request: &Request) -> bool {
        let same =
            |said: &Option<Arc<str>>, seen: &Option<Box<str>>| said.is_some() && said.as_deref() == seen.as_deref();
        let calls = &request.calls;
        calls.iter().any(|call| same(&self.route, &call.route) || same(&self.model, &call.model_requested))
            || request.retrievals.iter().any(|it| same(&self.index, &it.index))
    }

    /// The action's parameters that are set, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("tool", &self.tool),
            ("model", &self.model),
            ("index", &self.index),
            ("reply", &self.reply),
            ("route", &self.route),
        ];
        all.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] = [
        Self::DisableTool,
        Self::FallbackToCache,
        Self::DowngradeModel,
        Self::PinModel,
        Self::BackupIndex,
        Self::SafeReply,
        Self::RedactAndQuarantine,
    ];

    /// The name in configuration and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DisableTool => "disable_tool",
            Self::FallbackToCache => "fallback_to_cache",
            Self::DowngradeModel => "downgrade_model",
            Self::PinModel => "pin_model",
            Self::BackupIndex => "backup_index",
            Self::SafeReply => "safe_reply",
            Self::RedactAndQuarantine => "redact_and_quarantine",
        }
    }

    /// What it asks of the application.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::DisableTool => "answer without the tool `tool`",
            Self::FallbackToCache => "answer from the cache of earlier answers",
            Self::DowngradeModel => "use the cheaper or faster model `model`",
            Self::PinModel => "use the last good `model` and prompt revision, whatever the newest are",
            Self::BackupIndex => "search the index `index` instead",
            Self::SafeReply => "give the fixed answer `reply`",
            Self::RedactAndQuarantine => "withhold personal data, keep what was captured away from everybody",
        }
    }
}

/// `times` in seconds: open, open at most, wait for probes.
const fn policy(times: [u64; 3], probe_share: f64, probes: u32, probe_quota: f64) -> Policy {
    let [open_for, open_for_max, probe_for] = times;
    Policy {
        mode: Mode::Shadow,
        open_for: Duration::from_secs(open_for),
        open_for_max: Duration::from_secs(open_for_max),
        // Past the five minutes of the built-in windows and the two an alert keeps firing.
        settle_for: Duration::from_secs(900),
        probe_share,
        probes,
        probe_quota,
        probe_for: Duration::from_secs(probe_for),
    }
}

const fn plan(action: Action, instructions: &'static str, user_impact: &'static str, rollback: &'static str) -> Plan {
    Plan {
        trigger: Vec::new(),
        action,
        tool: None,
        model: None,
        index: None,
        reply: None,
        route: None,
        instructions: Cow::Borrowed(instructions),
        user_impact: Cow::Borrowed(user_impact),
        rollback: Cow::Borrowed(rollback),
    }
}
