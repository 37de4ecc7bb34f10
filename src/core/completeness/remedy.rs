//! What closes each gap: the exact setting of the instrumentation, or that it has none and what stands in.
//!
//! One flat table, the first row that names dialect and field wins; rows for [`ANY`] come last and cover every field.

use super::UNKNOWN;

/// The dialects there are settings for, by their names in records.
pub const DIALECTS: [&str; 17] = [
    "gen_ai",
    "openinference",
    "openllmetry",
    "langfuse",
    "langsmith",
    "mlflow",
    "vercel_ai",
    "pydantic_ai",
    "logfire",
    "openlit",
    "litellm",
    "anthropic",
    "google_adk",
    "claude_code",
    "codex",
    "gemini_cli",
    "app",
];

/// Rows of this dialect hold for all that have none of their own.
pub const ANY: &str = "any";

/// One row: what closes a gap in any of `fields` of `dialect`.
#[derive(Clone, Copy, Debug)]
pub struct Remedy {
    /// One of [`DIALECTS`], or [`ANY`].
    pub dialect: &'static str,
    /// Names of fields.
    pub fields: &'static [&'static str],
    /// What to do, as the end of the sentence "not captured: ...".
    pub text: &'static str,
}

/// What closes a gap in `field` of `dialect`.
#[must_use]
pub fn remedy(dialect: &str, field: &str) -> &'static str {
    let of = |dialect: &str| REMEDIES.iter().find(|row| row.dialect == dialect && row.fields.contains(&field));
    let own = of(dialect).filter(|_| dialect != UNKNOWN);
    own.or_else(|| of(ANY)).map_or("see docs/telemetry-contract.md", |row| row.text)
}

const fn row(dialect: &'static str, fields: &'static [&'static str], text: &'static str) -> Remedy {
    Remedy { dialect, fields, text }
}

const INPUT: &[&str] = &["prompt_sha256", "user_query"];
const TEXTS: &[&str] = &["prompt_sha256", "user_query", "response"];
const TOKENS: &[&str] = &["input_tokens", "output_tokens"];
const TTFT: &[&str] = &["time_to_first_token_ms"];
const WHO: &[&str] = &["session_id", "user_id"];
const SCORES: &[&str] = &["evaluations", "feedback"];
/// What only the answer can tell, where the finish reason does not.
const ANSWER: &[&str] = &["response", "refused"];

/// The table.
pub const REMEDIES: &[Remedy] = &[
    // OpenTelemetry's own instrumentations and everything that speaks their names.
    row(
        "gen_ai",
        &["prompt_sha256", "user_query", "response", "refused"],
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only (opentelemetry-instrumentation-openai-v2 also \
         wants OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental; without it, and for the Node.js \
         instrumentations, the value is true)",
    ),
    row(
        "gen_ai",
        &["tool_schemas"],
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only with \
         opentelemetry-instrumentation-genai-openai; opentelemetry-instrumentation-openai-v2 and the Node.js \
         instrumentations do not emit tool definitions: set gen_ai.tool.definitions on the model span",
    ),
    row(
        "gen_ai",
        &["documents"],
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only where opentelemetry-util-genai makes the \
         retrieval span, else gen_ai.retrieval.documents ([{\"id\",\"score\"}] as JSON) on it",
    ),
    row(
        "gen_ai",
        TTFT,
        "not emitted by opentelemetry-instrumentation-openai-v2 and the Node.js instrumentations: use \
         opentelemetry-instrumentation-genai-openai, or set gen_ai.response.time_to_first_chunk (seconds) on the model \
         span",
    ),
    // OpenInference.
    row(
        "openinference",
        INPUT,
        "unset OPENINFERENCE_HIDE_INPUTS, OPENINFERENCE_HIDE_INPUT_MESSAGES and OPENINFERENCE_HIDE_INPUT_TEXT (or the \
         same fields of TraceConfig)",
    ),
    row(
        "openinference",
        ANSWER,
        "unset OPENINFERENCE_HIDE_OUTPUTS, OPENINFERENCE_HIDE_OUTPUT_MESSAGES and OPENINFERENCE_HIDE_OUTPUT_TEXT (or \
         the same fields of TraceConfig)",
    ),
    row(
        "openinference",
        &["tool_schemas"],
        "unset OPENINFERENCE_HIDE_LLM_TOOLS, OPENINFERENCE_HIDE_INPUTS and OPENINFERENCE_HIDE_INPUT_MESSAGES (or the \
         same fields of TraceConfig)",
    ),
    row("openinference", &["documents"], "unset OPENINFERENCE_HIDE_RETRIEVAL_DOCUMENTS and OPENINFERENCE_HIDE_OUTPUTS"),
    row(
        "openinference",
        &["model_requested"],
        "unset OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS: the model asked for is among the parameters",
    ),
    row("openinference", &["session_id"], "wrap the request in using_session(session_id=...)"),
    row("openinference", &["user_id"], "wrap the request in using_user(user_id=...)"),
    row(
        "openinference",
        &["prompt_version"],
        "wrap the call in using_prompt_template(template=..., version=..., variables=...)",
    ),
    row(
        "openinference",
        TTFT,
        "not emitted by openinference-instrumentation-langchain: instrument the client below it (for example \
         openinference-instrumentation-openai), or add the span event \"First Token Stream Event\"",
    ),
    row(
        "openinference",
        &["request_id"],
        "set app.request.id on the root span; the response id in output.value stands in, unless the call failed or \
         OPENINFERENCE_HIDE_OUTPUTS is set",
    ),
    row(
        "openinference",
        SCORES,
        "log an annotation on the span (annotations.N.annotation.{name,score,label,annotator_kind}, HUMAN for users and \
         reviewers), or emit gen_ai.evaluation.result log events",
    ),
    // OpenLLMetry (Traceloop).
    row(
        "openllmetry",
        &["prompt_sha256", "user_query", "response", "refused", "tool_schemas"],
        "set TRACELOOP_TRACE_CONTENT=true (the default is true: something turned it off)",
    ),
    row(
        "openllmetry",
        &["documents"],
        "set TRACELOOP_TRACE_CONTENT=true; opentelemetry-instrumentation-qdrant emits no results even then: return the \
         documents from a @task, or set gen_ai.retrieval.documents on the span",
    ),
    row(
        "openllmetry",
        WHO,
        "call Traceloop.set_association_properties({\"session_id\": ..., \"user_id\": ...}) at the start of a request",
    ),
    row(
        "openllmetry",
        &["prompt_version"],
        "call Traceloop.set_prompt(template, variables, version) before the call, or use a managed prompt",
    ),
    // Langfuse.
    row(
        "langfuse",
        &["prompt_sha256", "user_query", "response", "refused", "documents", "tool_schemas"],
        "unset LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED=false and leave inputs and outputs in what Langfuse(mask=...) \
         returns",
    ),
    row("langfuse", WHO, "wrap the request in propagate_attributes(session_id=..., user_id=...)"),
    row(
        "langfuse",
        &["prompt_version"],
        "link the prompt: prompt = langfuse.get_prompt(name), then langfuse_prompt=prompt in the call of langfuse.openai \
         or update_current_generation(prompt=prompt)",
    ),
    row(
        "langfuse",
        &["model_requested"],
        "not emitted by Langfuse but for LangChain: a generation keeps the model that answered; set gen_ai.request.model",
    ),
    row(
        "langfuse",
        &["finish_reason"],
        "not emitted by Langfuse for answers that do not stream; call \
         update_current_generation(metadata={\"finish_reason\": ...})",
    ),
    row("langfuse", &["request_id"], "not emitted by Langfuse; set app.request.id on the root span"),
    row("langfuse", TTFT, "call update_current_generation(completion_start_time=datetime.now()) at the first chunk"),
    row(
        "langfuse",
        SCORES,
        "not sent over OTLP by Langfuse, whose scores go to its REST API; set receiver.scores.langfuse and post them to the \
         sidecar as well, or emit gen_ai.evaluation.result log events (evaluator type human for users)",
    ),
    // LangSmith in OpenTelemetry mode.
    row("langsmith", INPUT, "unset LANGSMITH_HIDE_INPUTS (and LANGCHAIN_HIDE_INPUTS)"),
    row("langsmith", ANSWER, "unset LANGSMITH_HIDE_OUTPUTS (and LANGCHAIN_HIDE_OUTPUTS)"),
    row("langsmith", &["documents"], "unset LANGSMITH_HIDE_OUTPUTS and use a retriever run (run_type=\"retriever\")"),
    row("langsmith", &["tool_schemas"], "unset LANGSMITH_HIDE_INPUTS: tool definitions are among the inputs"),
    row(
        "langsmith",
        &["session_id"],
        "pass metadata={\"session_id\": ...} (or thread_id), in langsmith_extra or the RunnableConfig",
    ),
    row("langsmith", &["user_id"], "pass metadata={\"user_id\": ...}, in langsmith_extra or the RunnableConfig"),
    row(
        "langsmith",
        &["prompt_version"],
        "pull the prompt from the hub (Client().pull_prompt), which records its commit as metadata lc_hub_commit_hash",
    ),
    row(
        "langsmith",
        &["model", "finish_reason", "request_id"],
        "not emitted by LangSmith for LangChain models; wrap the client in wrap_openai, or instrument it as well",
    ),
    row(
        "langsmith",
        TTFT,
        "not emitted by LangSmith over OTLP; instrument the client with OpenInference or OpenTelemetry as well",
    ),
    row(
        "langsmith",
        SCORES,
        "not sent over OTLP by LangSmith, whose feedback goes to its REST API; set receiver.scores.langsmith and post it to \
         the sidecar as well, or emit gen_ai.evaluation.result log events (evaluator type human for users)",
    ),
    // MLflow.
    row(
        "mlflow",
        &["prompt_sha256", "user_query", "response", "refused", "documents", "tool_schemas"],
        "drop the span processor of mlflow.tracing.configure(span_processors=[...]) that clears inputs or outputs: MLflow \
         records them by default",
    ),
    row(
        "mlflow",
        WHO,
        "not sent over OTLP as trace metadata; set session.id and user.id with \
         mlflow.get_current_active_span().set_attribute(...)",
    ),
    row(
        "mlflow",
        TTFT,
        "not emitted by MLflow where it keeps no chunks of the stream; instrument the client with OpenInference or OpenTelemetry as well",
    ),
    row(
        "mlflow",
        SCORES,
        "not sent over OTLP by MLflow, whose assessments go to its REST API; emit gen_ai.evaluation.result log events \
         beside them, or run `freezeframe record feedback`",
    ),
    // Vercel AI SDK.
    row(
        "vercel_ai",
        &["prompt_sha256", "user_query", "tool_schemas"],
        "pass experimental_telemetry: { isEnabled: true, recordInputs: true } (AI SDK 7: telemetry: { recordInputs: true })",
    ),
    row(
        "vercel_ai",
        ANSWER,
        "pass experimental_telemetry: { isEnabled: true, recordOutputs: true } (AI SDK 7: telemetry: { recordOutputs: \
         true })",
    ),
    row(
        "vercel_ai",
        &["documents", "index", "index_version"],
        "not emitted by the AI SDK, where a retrieval is a tool call; make a span with gen_ai.operation.name=retrieval, \
         gen_ai.data_source.id, gen_ai.data_source.version and gen_ai.retrieval.documents",
    ),
    row(
        "vercel_ai",
        WHO,
        "pass experimental_telemetry: { metadata: { sessionId, userId } } (AI SDK 7: set session.id and user.id on the \
         active span)",
    ),
    // pydantic-ai and logfire.
    row(
        "pydantic_ai",
        &["prompt_sha256", "user_query", "response", "refused"],
        "pass InstrumentationSettings(include_content=True) to Agent.instrument_all() or the agent",
    ),
    row(
        "pydantic_ai",
        &["tool_schemas"],
        "use an instrumentation format of InstrumentationSettings(version=...) that sends gen_ai.tool.definitions: the \
         current default does, with content or without",
    ),
    row(
        "pydantic_ai",
        &["documents", "index", "index_version"],
        "not emitted by pydantic-ai, where a retrieval is a tool call; make a span with gen_ai.operation.name=retrieval, \
         gen_ai.data_source.id, gen_ai.data_source.version and gen_ai.retrieval.documents around the search",
    ),
    row("pydantic_ai", &["session_id"], "pass conversation_id=... to agent.run()"),
    row(
        "logfire",
        &["prompt_sha256", "user_query", "response", "refused"],
        "call logfire.instrument_pydantic_ai(include_content=True); where the text is \"[Scrubbed due to ...]\", keep it \
         with logfire.configure(scrubbing=logfire.ScrubbingOptions(callback=...))",
    ),
    row(
        "logfire",
        &["tool_schemas"],
        "call logfire.instrument_pydantic_ai(), whose spans carry gen_ai.tool.definitions, or set it on the model span",
    ),
    row(
        "logfire",
        &["documents", "index", "index_version"],
        "not emitted by logfire, where a retrieval is a tool call; make a span with gen_ai.operation.name=retrieval, \
         gen_ai.data_source.id, gen_ai.data_source.version and gen_ai.retrieval.documents around the search",
    ),
    row(
        "logfire",
        &["session_id"],
        "keep it from the scrubber, which takes \"session\" for a secret: \
         logfire.configure(scrubbing=logfire.ScrubbingOptions(callback=lambda m: m.value if m.path[-1] == \"session.id\" \
         else None)); or send gen_ai.conversation.id",
    ),
    // OpenLIT.
    row(
        "openlit",
        &["prompt_sha256", "user_query", "response", "refused"],
        "call openlit.init(capture_message_content=True) and unset \
         OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=false",
    ),
    row(
        "openlit",
        &["documents", "tool_schemas"],
        "call openlit.init(capture_message_content=True); what OpenLIT does not emit for your client, add with \
         openlit.using_attributes({\"gen_ai.tool.definitions\": ...}) or gen_ai.retrieval.documents on the retrieval span",
    ),
    row("openlit", WHO, "wrap the request in openlit.using_attributes({\"session.id\": ..., \"user.id\": ...})"),
    row(
        "openlit",
        &["prompt_version"],
        "wrap the call in openlit.using_attributes({\"gen_ai.prompt.name\": ..., \"gen_ai.prompt.version\": ...})",
    ),
    // LiteLLM.
    row(
        "litellm",
        &["prompt_sha256", "user_query", "response", "refused", "tool_schemas"],
        "set litellm.turn_off_message_logging = False (proxy: litellm_settings.turn_off_message_logging: false) and leave \
         OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT unset or SPAN_AND_EVENT",
    ),
    row(
        "litellm",
        &["documents", "index", "index_version"],
        "not emitted by LiteLLM, which sees model calls only; make a span with gen_ai.operation.name=retrieval, \
         gen_ai.data_source.id, gen_ai.data_source.version and gen_ai.retrieval.documents around the search",
    ),
    row("litellm", &["user_id"], "pass user=... to completion(), or set user.id on the root span"),
    row(
        "litellm",
        TTFT,
        "not on LiteLLM's spans, only in its metrics; set gen_ai.response.time_to_first_chunk (seconds) on the parent \
         span, or instrument the client below it",
    ),
    row(
        "litellm",
        &["retries"],
        "not emitted by LiteLLM for retries on one deployment; set http.request.resend_count on the parent span",
    ),
    // The Anthropic SDK's own spans.
    row(
        "anthropic",
        &["prompt_sha256", "user_query", "response", "refused"],
        "set ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=content",
    ),
    row(
        "anthropic",
        &["tool_schemas"],
        "not emitted by the Anthropic SDK in any mode; set gen_ai.tool.definitions on the parent span, or add \
         opentelemetry-instrumentation-anthropic",
    ),
    row(
        "anthropic",
        &["documents", "index", "index_version"],
        "not emitted by the Anthropic SDK, which sees model calls only; make a span with \
         gen_ai.operation.name=retrieval, gen_ai.data_source.id, gen_ai.data_source.version and \
         gen_ai.retrieval.documents around the search",
    ),
    row(
        "anthropic",
        &["session_id"],
        "use client.with_options(open_telemetry={**client.open_telemetry, \"conversation_id\": ...}), or set session.id \
         on the parent span",
    ),
    row(
        "anthropic",
        TTFT,
        "upgrade the Anthropic SDK (2.12 tells it), add opentelemetry-instrumentation-anthropic, or set \
         gen_ai.response.time_to_first_chunk (seconds) on the parent span",
    ),
    // Google ADK.
    row(
        "google_adk",
        &["prompt_sha256", "user_query", "response", "refused", "tool_schemas"],
        "set ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true (the default is true: something turned it off)",
    ),
    row(
        "google_adk",
        &["documents", "index", "index_version"],
        "not emitted by ADK, where a retrieval is a tool call; make a span with gen_ai.operation.name=retrieval, \
         gen_ai.data_source.id, gen_ai.data_source.version and gen_ai.retrieval.documents around the search",
    ),
    row(
        "google_adk",
        &["user_id"],
        "not on ADK's spans, only on its log records; export logs too, or set user.id on the root span",
    ),
    // Agents that tell everything in log records.
    row("claude_code", &["user_query"], "set OTEL_LOG_USER_PROMPTS=1"),
    row("claude_code", ANSWER, "set OTEL_LOG_ASSISTANT_RESPONSES=1 (and OTEL_LOG_USER_PROMPTS=1)"),
    row("claude_code", &["tools"], "set OTEL_LOG_TOOL_DETAILS=1 and export logs (OTEL_LOGS_EXPORTER=otlp)"),
    row(
        "claude_code",
        &["prompt_sha256", "tool_schemas", "documents", "index", "index_version"],
        "not emitted by Claude Code; its version (app.version) stands for its prompt and tools",
    ),
    row("codex", &["user_query"], "set log_user_prompt = true under [otel] in ~/.codex/config.toml"),
    row(
        "codex",
        &["prompt_sha256", "response", "refused", "tool_schemas", "documents", "index", "index_version"],
        "not emitted by Codex, which logs the user's prompt and the results of tools only; its version (app.version) \
         stands for its prompt and tools",
    ),
    row(
        "gemini_cli",
        &["prompt_sha256", "user_query", "response", "refused", "tool_schemas"],
        "set GEMINI_TELEMETRY_LOG_PROMPTS=true and GEMINI_TELEMETRY_TRACES_ENABLED=true (telemetry.logPrompts and \
         telemetry.traces in settings.json)",
    ),
    row(
        "gemini_cli",
        &["documents", "index", "index_version"],
        "not emitted by Gemini CLI, which has no retrieval of its own",
    ),
    // Whatever the dialect.
    row(
        ANY,
        &["request_id"],
        "set app.request.id on the root span; gen_ai.response.id stands in, unless the call failed",
    ),
    row(ANY, &["session_id"], "set session.id or gen_ai.conversation.id on the root span"),
    row(ANY, &["user_id"], "set user.id (a pseudonym will do) on the root span"),
    row(ANY, &["feature"], "set app.feature on the root span or the resource, or name the key under features.keys"),
    row(ANY, &["model"], "set gen_ai.response.model on the model span"),
    row(ANY, &["model_requested"], "set gen_ai.request.model on the model span"),
    row(
        ANY,
        &["prompt_version"],
        "set gen_ai.prompt.name and gen_ai.prompt.version on the model span (docs/telemetry-contract.md)",
    ),
    row(
        ANY,
        TEXTS,
        "set gen_ai.system_instructions, gen_ai.input.messages and gen_ai.output.messages on the model span \
         (docs/telemetry-contract.md)",
    ),
    row(ANY, &["refused"], "set gen_ai.output.messages or gen_ai.response.refusal on the model span"),
    row(
        ANY,
        &["tools"],
        "make a span with gen_ai.operation.name=execute_tool and gen_ai.tool.name around each execution",
    ),
    row(ANY, &["tool_schemas"], "set gen_ai.tool.definitions on the model span (docs/telemetry-contract.md)"),
    row(
        ANY,
        &["documents"],
        "set gen_ai.retrieval.documents ([{\"id\",\"score\"}] as JSON) on a span with gen_ai.operation.name=retrieval",
    ),
    row(ANY, &["index"], "set gen_ai.data_source.id on the retrieval span"),
    row(
        ANY,
        &["index_version"],
        "set gen_ai.data_source.version on the retrieval span or the resource, or run `freezeframe record index` after \
         each indexing",
    ),
    row(ANY, &["finish_reason"], "set gen_ai.response.finish_reasons on the model span"),
    row(ANY, &["latency_ms"], "send spans with a start and an end"),
    row(ANY, TTFT, "set gen_ai.response.time_to_first_chunk (seconds) on the model span"),
    row(
        ANY,
        TOKENS,
        "ask streams for their usage (OpenAI: stream_options={\"include_usage\": True}), else set \
         gen_ai.usage.input_tokens and gen_ai.usage.output_tokens on the model span",
    ),
    row(
        ANY,
        &["retries"],
        "not emitted: SDKs hide their retries in one span; set http.request.resend_count (0 included) on the model span",
    ),
    row(ANY, &["blocked"], "set gen_ai.response.finish_reasons or gen_ai.response.block.category on the model span"),
    row(
        ANY,
        &["evaluations"],
        "emit gen_ai.evaluation.result log events with gen_ai.evaluation.name, gen_ai.evaluation.score.value and the \
         trace of the request or its gen_ai.response.id",
    ),
    row(
        ANY,
        &["feedback"],
        "emit gen_ai.evaluation.result log events with gen_ai.evaluation.evaluator.type=human, or run `freezeframe record \
         feedback`",
    ),
];
