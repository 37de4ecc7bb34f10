//! The dimensions of a request: what it ran under, one atomic value each, grouped under the six variables.

use crate::core::variable::Variable;

/// One dimension, in the order of a row, which is that in which the model takes them up: traffic first, then what comes early
/// in a request; what is rolled out most often last, so that it takes what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Dimension {
    /// Feature; constant but for the whole service.
    Feature,
    /// Request class.
    RequestClass,
    /// Region.
    Region,
    /// Customer tier.
    Tier,
    /// Language.
    Language,
    /// Model asked for.
    Model,
    /// Model that answered.
    ModelVersion,
    /// Build that answered, as the provider fingerprints it.
    Fingerprint,
    /// Routing slice.
    Route,
    /// Generation parameters.
    Parameters,
    /// Configuration of the judge.
    JudgeConfig,
    /// How stale it was, in steps.
    IndexAge,
    /// How much was found, in steps.
    RetrievalHits,
    /// Composition of the tools that ran.
    ToolPath,
    /// Version of the prompt and of its components.
    PromptVersion,
    /// Version of the index that was searched.
    IndexVersion,
    /// Contracts of the tools that were offered.
    ToolSchema,
    /// Contracts of the tools that ran.
    ToolUsed,
}

use Dimension::{
    Feature, Fingerprint, IndexAge, IndexVersion, JudgeConfig, Language, Model, ModelVersion, Parameters,
    PromptVersion, Region, RequestClass, RetrievalHits, Route, Tier, ToolPath, ToolSchema, ToolUsed,
};

impl Dimension {
    /// All of them, in order.
    pub const ALL: [Self; 18] = [
        Feature,
        RequestClass,
        Region,
        Tier,
        Language,
        Model,
        ModelVersion,
        Fingerprint,
        Route,
        Parameters,
        JudgeConfig,
        IndexAge,
        RetrievalHits,
        ToolPath,
        PromptVersion,
        IndexVersion,
        ToolSchema,
        ToolUsed,
    ];

    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in a row.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in frames.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Feature => "feature",
            RequestClass => "request_class",
            Region => "region",
            Tier => "tier",
            Language => "language",
            PromptVersion => "prompt_version",
            Model => "model",
            ModelVersion => "model_version",
            Fingerprint => "fingerprint",
            Route => "route",
            Parameters => "parameters",
            JudgeConfig => "judge_config",
            IndexVersion => "index_version",
            IndexAge => "index_age",
            RetrievalHits => "retrieval_hits",
            ToolSchema => "tool_schema",
            ToolPath => "tool_path",
            ToolUsed => "tool_used",
        }
    }

    /// The variable it is a part of.
    #[must_use]
    pub const fn variable(self) -> Variable {
        match self {
            Feature | RequestClass | Region | Tier | Language => Variable::TrafficMix,
            PromptVersion => Variable::PromptRevision,
            Model | ModelVersion | Fingerprint | Route | Parameters => Variable::ModelRoute,
            JudgeConfig => Variable::Judge,
            IndexVersion | IndexAge | RetrievalHits => Variable::RetrievalIndex,
            ToolSchema | ToolPath | ToolUsed => Variable::ToolSchemas,
        }
    }

    /// Whether users decide it, and not a rollout.
    #[must_use]
    pub fn is_traffic(self) -> bool {
        self.variable() == Variable::TrafficMix
    }
}
