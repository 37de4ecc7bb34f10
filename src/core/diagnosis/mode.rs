//! The modes of failure: one table of what each means to a user, why it happens, what shows it, and how bad it is.
//!
//! The texts say what holds of every request with that mode. What holds of one request is in its evidence.

/// What went wrong with a request, or that nothing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// The answer gave away a secret or personal data.
    PiiLeak,
    /// Somebody else's instructions reached the model.
    PromptInjection,
    /// The answer says what the documents do not.
    Hallucination,
    /// Another prompt than the one in service.
    WrongPromptVersion,
    /// What was retrieved does not fit the question.
    RetrievalMismatch,
    /// Retrieval found nothing or failed.
    RetrievalEmpty,
    /// The request failed.
    ProviderError,
    /// A tool did not answer in time.
    ToolTimeout,
    /// A tool failed.
    ToolFailure,
    /// The model refused, or a policy blocked.
    Refusal,
    /// The answer was cut at the token limit.
    Truncated,
    /// It took too long.
    SlowResponse,
    /// It cost far more than others.
    CostAnomaly,
    /// Something is wrong and the telemetry does not say what.
    Unknown,
    /// Nothing is known to be wrong.
    Healthy,
}

/// What holds of every request with a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What the user meets.
    pub symptom: &'static str,
    /// What went wrong technically.
    pub cause: &'static str,
    /// Which signal shows it.
    pub signal: &'static str,
    /// Whether monitoring of HTTP status and duration would have caught it.
    pub http_catches: bool,
    /// Why, or why not.
    pub http_why: &'static str,
    /// Why it ranks where it does.
    pub severity: &'static str,
    /// What to look at or replay next.
    pub next: &'static str,
}

impl Mode {
    /// All modes, the most severe first.
    pub const ALL: [Self; 15] = [
        Self::PiiLeak,
        Self::PromptInjection,
        Self::Hallucination,
        Self::WrongPromptVersion,
        Self::RetrievalMismatch,
        Self::RetrievalEmpty,
        Self::ProviderError,
        Self::ToolTimeout,
        Self::ToolFailure,
        Self::Refusal,
        Self::Truncated,
        Self::SlowResponse,
        Self::CostAnomaly,
        Self::Unknown,
        Self::Healthy,
    ];

    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PiiLeak => "pii_leak",
            Self::PromptInjection => "prompt_injection",
            Self::Hallucination => "hallucination",
            Self::WrongPromptVersion => "wrong_prompt_version",
            Self::RetrievalMismatch => "retrieval_mismatch",
            Self::RetrievalEmpty => "retrieval_empty",
            Self::ProviderError => "provider_error",
            Self::ToolTimeout => "tool_timeout",
            Self::ToolFailure => "tool_failure",
            Self::Refusal => "refusal",
            Self::Truncated => "truncated",
            Self::SlowResponse => "slow_response",
            Self::CostAnomaly => "cost_anomaly",
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
        }
    }

    /// Its place among [`Mode::ALL`], 1 the most severe: data exposed before wrong answers, silent before loud, no
    /// answer before a poor one, a poor one before a slow or dear one.
    #[must_use]
    pub const fn rank(self) -> usize {
        self as usize + 1
    }

    /// What it means; `None` for a healthy request.
    #[must_use]
    pub const fn meaning(self) -> Option<Meaning> {
        Some(match self {
            Self::PiiLeak => PII_LEAK,
            Self::PromptInjection => PROMPT_INJECTION,
            Self::Hallucination => HALLUCINATION,
            Self::WrongPromptVersion => WRONG_PROMPT_VERSION,
            Self::RetrievalMismatch => RETRIEVAL_MISMATCH,
            Self::RetrievalEmpty => RETRIEVAL_EMPTY,
            Self::ProviderError => PROVIDER_ERROR,
            Self::ToolTimeout => TOOL_TIMEOUT,
            Self::ToolFailure => TOOL_FAILURE,
            Self::Refusal => REFUSAL,
            Self::Truncated => TRUNCATED,
            Self::SlowResponse => SLOW_RESPONSE,
            Self::CostAnomaly => COST_ANOMALY,
            Self::Unknown => UNKNOWN,
            Self::Healthy => return None,
        })
    }
}

const PII_LEAK: Meaning = Meaning {
    symptom: "The user is shown a secret or somebody's personal data that the user had not typed.",
    cause: "What must not be shown was in what the model read (a document, a tool's result, the prompt), or the model made it up.",
    signal: "Redaction: the answer holds what the question does not; or a guardrail's verdict.",
    http_catches: false,
    http_why: "The answer is a 200 of usual size and speed; what it says is not in the status.",
    severity: "Data exposure: it cannot be undone, may have to be reported, and nobody notices by themselves.",
    next: "Find the document or tool result that holds it, take it out of the index, and count who else was shown it.",
};

const PROMPT_INJECTION: Meaning = Meaning {
    symptom: "The assistant may do or say what a stranger wants instead of its task.",
    cause: "Text that the application did not write carries instructions, and it went to the model with the rights of a prompt.",
    signal: "A guardrail's verdict, or the phrase itself in the question or in a retrieved document.",
    http_catches: false,
    http_why: "Attack and answer are both ordinary requests with status 200.",
    severity: "Somebody else steers the model: what it can read and do is exposed until the way in is closed.",
    next: "Read the answer and the tools that ran after it; in a document, remove that document from the index.",
};

const HALLUCINATION: Meaning = Meaning {
    symptom: "The user gets a fluent answer with facts that are not true of the product.",
    cause: "The model stated what its sources do not say.",
    signal: "A groundedness verdict of a judge, or the answer's words against those of the documents.",
    http_catches: false,
    http_why: "Status 200, usual latency and size: a wrong answer looks like a right one from outside.",
    severity: "Silent and believed: users act on it, and nothing fails that would page anybody.",
    next: "Replay with the prompt and the model that were last good; judge several answers for groundedness, not one.",
};

const WRONG_PROMPT_VERSION: Meaning = Meaning {
    symptom: "The answer follows old instructions: tone, policy or format that are no longer wanted.",
    cause: "The request was rendered from another prompt version than the one in service (a stale cache, an old pod, a wrong label).",
    signal: "gen_ai.prompt.version of the request against the version in service.",
    http_catches: false,
    http_why: "A prompt's version is not in the response's status or duration.",
    severity: "Silent, and it hits every request that is served by that prompt until somebody compares versions.",
    next: "Replay the request with the version in service; look for pods or caches that still hold the other one.",
};

const RETRIEVAL_MISMATCH: Meaning = Meaning {
    symptom: "The answer misses the question or says that it does not know.",
    cause: "The search returned documents of another subject: embedding model, index or query do not fit each other, or the document is missing.",
    signal: "Scores of the retrieved documents, and the question's words in their text.",
    http_catches: false,
    http_why: "The search answered 200 with documents, and so did the application; only the scores are poor.",
    severity: "Silent: answers are useless or made up, for every question that the index should have answered.",
    next: "Run the same query against the index that was last good; compare embedding model and index version.",
};

const RETRIEVAL_EMPTY: Meaning = Meaning {
    symptom: "The answer is made without any document: general, evasive or made up.",
    cause: "The search failed or found nothing: index down, empty, wrongly filtered, or nothing is written on it.",
    signal: "Number of documents, their scores, and the error of the retrieval span.",
    http_catches: false,
    http_why: "Most applications go on without documents and answer 200; only the index's own monitoring sees an outage.",
    severity: "When an index is down it hits every question at once, and the answers look ordinary.",
    next: "Ask the index for a document that must be there; check its size, filters and last update.",
};

const PROVIDER_ERROR: Meaning = Meaning {
    symptom: "No answer: an error message, or nothing.",
    cause: "The model call or the application failed before there was an answer.",
    signal: "error.type and status of the span that failed.",
    http_catches: true,
    http_why: "A request without an answer usually ends as 5xx; which dependency it was is only in the trace.",
    severity: "The user gets nothing, but it is loud: errors are counted, retried and seen.",
    next: "Look at the provider's status page, at rate limits, and at the share of requests with the same error.",
};

const TOOL_TIMEOUT: Meaning = Meaning {
    symptom: "The answer comes late and without what the tool would have told.",
    cause: "A tool did not answer within its time limit, and its result was missing.",
    signal: "Error and duration of the tool's span.",
    http_catches: false,
    http_why: "The chat request itself answers 200; the call that ran out of time is inside of it.",
    severity: "What the user came for is missing, though the answer mostly says so.",
    next: "Look at the service behind the tool; check that its time limit is below what a user waits.",
};

const TOOL_FAILURE: Meaning = Meaning {
    symptom: "The answer lacks what the tool would have told, or makes it up.",
    cause: "A tool returned an error, and its result was missing.",
    signal: "error.type of the tool's span.",
    http_catches: false,
    http_why: "The chat request itself answers 200; the call that failed is inside of it.",
    severity: "What the user came for is missing; a model may fill the gap with inventions.",
    next: "Compare the arguments with the tool's schema; look at the service behind the tool.",
};

const REFUSAL: Meaning = Meaning {
    symptom: "The user is told no.",
    cause: "The model or a policy judged the request as not allowed, rightly or not.",
    signal: "Finish reason and refusal marks of the model call.",
    http_catches: false,
    http_why: "A refusal is an ordinary answer with status 200.",
    severity: "The user sees that there is no answer; it is wrong only if the question was legitimate.",
    next: "Read the question: if it is legitimate, replay it with the last good prompt and model.",
};

const TRUNCATED: Meaning = Meaning {
    symptom: "The answer stops in the middle of a sentence or of a structure.",
    cause: "The output reached its token limit.",
    signal: "Finish reason length, and output tokens against max_tokens.",
    http_catches: false,
    http_why: "A cut answer is complete as far as HTTP knows.",
    severity: "Part of the answer is there; what parses it may fail.",
    next: "Raise max_tokens or ask for less; replay to see how long the answer wants to be.",
};

const SLOW_RESPONSE: Meaning = Meaning {
    symptom: "The user waits, and many give up before the answer comes.",
    cause: "The request took longer than its limit, or than is usual; the figures say which stage took the time.",
    signal: "Latency of the request, and the durations and tokens of its model calls, searches and tools.",
    http_catches: true,
    http_why: "A latency histogram of the endpoint shows that it is slow; that tokens, a model or a tool cause it, it does not.",
    severity: "The answer is right but late: annoying, visible, and over when the cause is.",
    next: "Replay with a smaller model or a shorter context and compare latency and answer.",
};

const COST_ANOMALY: Meaning = Meaning {
    symptom: "None for the user; the bill pays.",
    cause: "The request used far more tokens or a dearer model than others of its feature.",
    signal: "Tokens and cost of the request against those of its feature.",
    http_catches: false,
    http_why: "Tokens and prices are not in status or duration.",
    severity: "Money, not users: it matters when it repeats.",
    next: "Look for loops, retries and a context that grew; compare input tokens with a usual request.",
};

const UNKNOWN: Meaning = Meaning {
    symptom: "Something is wrong with the answer, or nothing is known of it.",
    cause: "Not known from the telemetry of this request.",
    signal: "The verdict or the feedback in the evidence; what is missing is listed as missing telemetry.",
    http_catches: false,
    http_why: "There is no error and no delay in it.",
    severity: "A judge or a user is not content, without a reason that can be acted on yet.",
    next: "Read question and answer; close the gaps in the telemetry that are listed.",
};
