//! The fields that all dialects are mapped onto. A mapping table is a list of `(attribute key, Field)`.

macro_rules! fields {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// One thing a span can say, whatever the dialect calls it. The text is the name in the configuration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field { $($(#[$doc])+ $name,)+ }

        impl Field {
            /// Every field, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in the configuration.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

fields! {
    /// `gen_ai.operation.name`
    Operation = "operation",
    /// `openinference.span.kind`
    OpenInferenceKind = "openinference_kind",
    /// `traceloop.span.kind`
    TraceloopKind = "traceloop_kind",
    /// `llm.request.type` of the old OpenLLMetry and of LiteLLM
    RequestType = "request_type",
    /// `langfuse.observation.type`
    LangfuseKind = "langfuse_kind",
    /// `langsmith.span.kind`
    LangsmithKind = "langsmith_kind",
    /// `mlflow.spanType`
    MlflowKind = "mlflow_kind",
    /// `ai.operationId`
    VercelOperation = "vercel_operation",
    /// `logfire.span_type`: `pending_span` announces a span that is sent again when it ends, `log` is a moment
    SpanType = "span_type",
    /// Seconds that what a moment tells of took
    LoggedDuration = "logged_duration_s",
    /// Milliseconds that what a log record tells of took
    LoggedMillis = "logged_duration_ms",
    /// `db.system` of a vector store
    DbSystem = "db_system",
    /// Method of an HTTP request
    HttpMethod = "http_method",
    /// Severity in words or numbers
    Level = "level",

    /// Provider
    Provider = "provider",
    /// Model asked for
    ModelRequested = "model_requested",
    /// Model that answered
    ModelServed = "model_served",
    /// System fingerprint or model build
    Fingerprint = "fingerprint",
    /// Routing slice or deployment
    Route = "route",
    /// Why the router chose it
    RouteReason = "route_reason",
    /// Sampling temperature
    Temperature = "temperature",
    /// Nucleus sampling
    TopP = "top_p",
    /// Output token limit
    MaxTokens = "max_tokens",
    /// Whether the answer streams
    Streaming = "streaming",
    /// Provider's response id
    ResponseId = "response_id",
    /// Input tokens
    InputTokens = "input_tokens",
    /// Output tokens
    OutputTokens = "output_tokens",
    /// Input tokens from the provider's cache
    CachedInputTokens = "cached_input_tokens",
    /// Input tokens written to the provider's cache
    CacheWriteTokens = "cache_write_tokens",
    /// Output tokens spent on reasoning
    ReasoningTokens = "reasoning_tokens",
    /// Token counts as one JSON object or Python literal
    Usage = "usage",
    /// Cost, US dollars
    Cost = "cost_usd",
    /// Currency of the cost, ISO 4217
    CostCurrency = "cost_currency",
    /// Costs as one JSON object
    CostDetails = "cost_details",
    /// Finish reason, in whatever form
    FinishReason = "finish_reason",
    /// Time to first token, seconds
    FirstToken = "time_to_first_token_s",
    /// Time to first token, milliseconds
    FirstTokenMillis = "time_to_first_token_ms",
    /// When the first token came, a point in time
    FirstTokenAt = "first_token_at",
    /// Time to first token, seconds, also set where nothing streams
    FirstTokenAlways = "time_to_first_token_unreliable_s",
    /// Attempts beyond the first
    ResendCount = "resend_count",
    /// Number of this attempt, from 1
    Attempt = "attempt",
    /// Whether the model refused
    Refusal = "refusal",
    /// Category of a policy block
    BlockCategory = "block_category",
    /// Who blocked
    BlockSource = "block_source",
    /// `error.type`
    ErrorType = "error_type",
    /// Error message
    ErrorMessage = "error_message",
    /// HTTP status of the provider's answer
    StatusCode = "status_code",

    /// Id of the drill that made it; on a resource only
    Drill = "drill",
    /// Prompt template name
    PromptName = "prompt_name",
    /// Prompt template version
    PromptVersion = "prompt_version",
    /// JSON `[{"name","version",..}]` or `{name: version}`
    PromptComponents = "prompt_components",

    /// System part, apart from the messages
    SystemInstructions = "system_instructions",
    /// Input messages as one value
    InputMessages = "input_messages",
    /// Output messages as one value
    OutputMessages = "output_messages",
    /// Text of the answer, apart from the tools it asks for
    OutputText = "output_text",
    /// Tools the answer asks for
    OutputToolCalls = "output_tool_calls",
    /// Whole input of a span
    Input = "input",
    /// Whole output of a span
    Output = "output",
    /// JSON of request parameters
    InvocationParameters = "invocation_parameters",
    /// Definitions of the tools offered
    ToolDefinitions = "tool_definitions",
    /// JSON of whatever the application added
    Metadata = "metadata",
    /// JSON of what a gateway knows beside the request and the response
    GatewayDetails = "gateway_details",

    /// Tool name
    ToolName = "tool_name",
    /// Name of a decorated function
    EntityName = "entity_name",
    /// Tool version
    ToolVersion = "tool_version",
    /// Id of the call, as the model gave it
    ToolCallId = "tool_call_id",
    /// Tool arguments
    ToolArguments = "tool_arguments",
    /// Tool result
    ToolResult = "tool_result",

    /// Index, collection or data source
    Index = "index",
    /// Its version
    IndexVersion = "index_version",
    /// When its source was last taken over
    IndexUpdatedAt = "index_updated_at",
    /// Age of the served data, seconds
    FreshnessLag = "freshness_lag_s",
    /// Whether a reindex is running
    Reindexing = "reindexing",
    /// Changes of its source that it has not taken over: how many, or the documents
    PendingChanges = "pending_changes",
    /// Embedding model
    EmbeddingModel = "embedding_model",
    /// Retrieved documents as one value
    Documents = "documents",
    /// Documents asked for
    TopK = "top_k",

    /// JSON of several verdicts by metric
    Scores = "scores",
    /// The same, of flags
    Assertions = "assertions",
    /// The same, of labels
    Labels = "labels",
    /// Evaluation metric
    EvaluationName = "evaluation_name",
    /// Score
    EvaluationScore = "evaluation_score",
    /// Label
    EvaluationLabel = "evaluation_label",
    /// Explanation, or a user's comment
    EvaluationExplanation = "evaluation_explanation",
    /// Whether it passed
    EvaluationPassed = "evaluation_passed",
    /// Evaluator name
    EvaluatorName = "evaluator_name",
    /// `llm_judge`, `deterministic`, `human`
    EvaluatorType = "evaluator_type",
    /// Judge model
    EvaluatorModel = "evaluator_model",
    /// Evaluator version
    EvaluatorVersion = "evaluator_version",
    /// Version or digest of the judge's prompt
    EvaluatorPrompt = "evaluator_prompt",
    /// Rubric version
    RubricVersion = "rubric_version",
    /// Reference set
    DatasetVersion = "dataset_version",
    /// Pass threshold
    Threshold = "threshold",
    /// Last calibration against human labels
    CalibratedAt = "calibrated_at",
    /// Why the request was chosen to be judged
    SampledBy = "sampled_by",
    /// Share of human labels it agreed with at its last calibration
    Agreement = "calibration_agreement",
    /// JSON with the evaluator's configuration
    EvaluatorSource = "evaluator_source",

    /// Session
    SessionId = "session_id",
    /// User
    UserId = "user_id",
    /// The application's request id
    RequestId = "request_id",
    /// Traffic class
    RequestClass = "request_class",
    /// Region
    Region = "region",
    /// Customer tier
    Tier = "tier",
    /// Language
    Language = "language",
    /// `service.name`
    Service = "service",
    /// What one turn of a log-only agent is called
    TurnId = "turn_id",
    /// Which kind of a streamed event a log record tells of
    EventKind = "event_kind",
    /// Whether a tool worked
    ToolSucceeded = "tool_succeeded",
    /// Event name sent as an attribute instead of `LogRecord.event_name`
    EventName = "event_name",
}

impl Field {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The field of this name, as the configuration writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.as_str() == name)
    }

    /// Whether it holds content (prompts, answers, documents), which is digested and not kept as it came.
    pub(crate) fn is_content(self) -> bool {
        matches!(
            self,
            Self::SystemInstructions
                | Self::InputMessages
                | Self::OutputMessages
                | Self::Input
                | Self::Output
                | Self::InvocationParameters
                | Self::ToolDefinitions
                | Self::Metadata
                | Self::GatewayDetails
                | Self::OutputText
                | Self::OutputToolCalls
                | Self::Usage
                | Self::CostDetails
                | Self::Scores
                | Self::Assertions
                | Self::Labels
                | Self::ToolArguments
                | Self::ToolResult
                | Self::Documents
        )
    }
}
