//! The incident classes, the diagnostic patterns and the severities of the contract.

/// What kind of trouble an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The index answers nothing or not at all.
    RetrievalOutage,
    /// Answers got worse.
    QualityDegradation,
    /// Answers got slower or fail.
    PerformanceDegradation,
    /// Answers got dearer.
    CostSpike,
    /// Personal data or secrets where they must not be.
    DataIncident,
}

/// What an incident looks like beside its class: none or more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// Answers got worse and no objective is breached.
    SilentQualityRegression,
    /// The judge passed what it should have failed, or moved itself.
    JudgeInducedFalseNegative,
    /// The index is true to a world that has moved on.
    RetrievalStaleness,
    /// A tool's contract changed.
    ToolSchemaDrift,
    /// Other questions are asked.
    TrafficMixShift,
    /// Text of others acts as an instruction.
    PromptInjection,
    /// The provider of the model is the cause.
    UpstreamProvider,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Page now.
    Sev1,
    /// Within the hour.
    Sev2,
    /// Next business day.
    Sev3,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 5] = [
        Self::RetrievalOutage,
        Self::QualityDegradation,
        Self::PerformanceDegradation,
        Self::CostSpike,
        Self::DataIncident,
    ];

    /// The name in labels and frames.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetrievalOutage => "RETRIEVAL_OUTAGE",
            Self::QualityDegradation => "QUALITY_DEGRADATION",
            Self::PerformanceDegradation => "PERFORMANCE_DEGRADATION",
            Self::CostSpike => "COST_SPIKE",
            Self::DataIncident => "DATA_INCIDENT",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl Pattern {
    /// All patterns.
    pub const ALL: [Self; 7] = [
        Self::SilentQualityRegression,
        Self::JudgeInducedFalseNegative,
        Self::RetrievalStaleness,
        Self::ToolSchemaDrift,
        Self::TrafficMixShift,
        Self::PromptInjection,
        Self::UpstreamProvider,
    ];

    /// The name in frames.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SilentQualityRegression => "silent_quality_regression",
            Self::JudgeInducedFalseNegative => "judge_induced_false_negative",
            Self::RetrievalStaleness => "retrieval_staleness",
            Self::ToolSchemaDrift => "tool_schema_drift",
            Self::TrafficMixShift => "traffic_mix_shift",
            Self::PromptInjection => "prompt_injection",
            Self::UpstreamProvider => "upstream_provider",
        }
    }

    /// The pattern of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.as_str() == name)
    }
}

impl Severity {
    /// All severities, worst first.
    pub const ALL: [Self; 3] = [Self::Sev1, Self::Sev2, Self::Sev3];

    /// `SEV-1` and so on, the `sev` label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sev1 => "SEV-1",
            Self::Sev2 => "SEV-2",
            Self::Sev3 => "SEV-3",
        }
    }

    /// The severity of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }

    /// The `severity` label of the Prometheus community.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Sev1 => "critical",
            Self::Sev2 => "warning",
            Self::Sev3 => "info",
        }
    }

    /// How soon somebody should look.
    #[must_use]
    pub fn response_time(self) -> &'static str {
        match self {
            Self::Sev1 => "15 min",
            Self::Sev2 => "1 h",
            Self::Sev3 => "next business day",
        }
    }
}
