"""A support bot on loopback, instrumented with the real SDK of one dialect and exporting over real OTLP.

Each line of standard input is a JSON command {"n", "feature", "prompt", "stream"}: it answers n questions (retrieve,
ask the model, call a tool, judge the answer; of several prompts each gets its part of the questions), flushes, and prints one JSON line {"answered", "failed", "exports"}.
An export is {"signal", "sha256", "ok"}: the digest of the OTLP request message as the SDK encoded it, so that
whoever sits behind the sidecar can be asked for the very same bytes. At the end of the input it shuts its SDK down
and prints the last exports.
"""

import argparse
import hashlib
import json
import os
import sys
import urllib.request
from contextlib import contextmanager
from contextvars import ContextVar

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"

import openai
from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger, set_logger_provider
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

PROMPTS = {
    "v7": "You are the support assistant of Acme Shop. Answer from the context only and cite it. [prompt v7]",
    "v8": "You are the support assistant of Acme Shop. Be warm and reassuring. [prompt v8]",
    "v9": "You are the support assistant of Acme Shop. Answer in one sentence from the context and cite it. [prompt v9]",
}
QUESTION = "Can I return damaged goods?"
prompt_version = ContextVar("prompt_version", default="v7")


class Official:
    """OpenTelemetry's own conventions: opentelemetry-instrumentation-genai-openai and opentelemetry-util-genai."""

    prompt_attributes = ("gen_ai.prompt.name", "gen_ai.prompt.version")

    def __init__(self):
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
        from opentelemetry.util.genai.handler import get_telemetry_handler

        OpenAIInstrumentor().instrument()
        self.handler = get_telemetry_handler()

    @contextmanager
    def request(self, feature):
        with self.handler.invoke_local_agent(agent_name=feature):
            yield trace.get_current_span()

    @contextmanager
    def retrieval(self, query):
        with self.handler.retrieval(data_source_id="kb") as invocation:
            invocation.query_text = query
            found = []
            yield found
            invocation.documents = [{"id": d["id"], "score": d["score"]} for d in found]

    @contextmanager
    def tool(self, name, arguments):
        with self.handler.tool(name, tool_type="function") as invocation:
            invocation.arguments = arguments
            yield

    def judge(self, span, score, response_id):
        emit_evaluation(score, response_id)


class OpenInference:
    """openinference-instrumentation-openai, with the tracer's own spans around it."""

    prompt_attributes = ("prompt.id", "llm.prompt_template.version")

    def __init__(self):
        from openinference.instrumentation import OITracer, TraceConfig
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        self.tracer = OITracer(trace.get_tracer("support-bot"), TraceConfig())

    @contextmanager
    def request(self, feature):
        with self.tracer.start_as_current_span(feature, openinference_span_kind="agent") as span:
            span.set_attribute("agent.name", feature)
            yield span

    @contextmanager
    def retrieval(self, query):
        with self.tracer.start_as_current_span("kb_retriever", openinference_span_kind="retriever") as span:
            span.set_input(query)
            found = []
            yield found
            for n, document in enumerate(found):
                for key in ("id", "score", "content"):
                    span.set_attribute(f"retrieval.documents.{n}.document.{key}", document[key])

    @contextmanager
    def tool(self, name, arguments):
        with self.tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
            span.set_tool(name=name, parameters=arguments)
            yield

    def judge(self, span, score, _response_id):
        prefix = "evaluations.0.evaluation"
        span.set_attribute(f"{prefix}.name", "groundedness")
        span.set_attribute(f"{prefix}.score", score)
        span.set_attribute(f"{prefix}.label", label(score))
        span.set_attribute(f"{prefix}.annotator_kind", "CODE")


class OpenLLMetry:
    """opentelemetry-instrumentation-openai of OpenLLMetry, with the spans its decorators make."""

    prompt_attributes = ("traceloop.prompt.key", "traceloop.prompt.version")

    def __init__(self):
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        self.tracer = trace.get_tracer("traceloop.tracer")

    @contextmanager
    def entity(self, kind, name, entity_input=None):
        with self.tracer.start_as_current_span(f"{name}.{kind}") as span:
            span.set_attribute("traceloop.span.kind", kind)
            span.set_attribute("traceloop.entity.name", name)
            if entity_input is not None:
                span.set_attribute("traceloop.entity.input", json.dumps({"args": [], "kwargs": entity_input}))
            yield span

    @contextmanager
    def request(self, feature):
        with self.entity("workflow", feature) as span:
            span.set_attribute("traceloop.workflow.name", feature)
            yield span

    @contextmanager
    def retrieval(self, query):
        with self.entity("task", "kb_retriever", {"query": query}) as span:
            span.set_attribute("gen_ai.operation.name", "vector_db_retrieve")
            found = []
            yield found
            span.set_attribute("traceloop.entity.output", json.dumps(found))

    @contextmanager
    def tool(self, name, arguments):
        with self.entity("tool", name, arguments):
            yield

    def judge(self, span, score, response_id):
        emit_evaluation(score, response_id)


DIALECTS = {"official": Official, "openinference": OpenInference, "openllmetry": OpenLLMetry}


class PromptVersion(SpanProcessor):
    """Stamps the prompt in use on every model call: the one thing no instrumentation can know by itself."""

    def __init__(self, keys):
        self.keys = keys

    def on_start(self, span, parent_context=None):
        if span.name.startswith(("chat ", "openai.chat", "ChatCompletion")):
            span.set_attributes(dict(zip(self.keys, ("support-answer", prompt_version.get()))))


def label(score):
    return "pass" if score >= 0.5 else "fail"


def emit_evaluation(score, response_id):
    attributes = {
        "gen_ai.evaluation.name": "groundedness",
        "gen_ai.evaluation.score.value": score,
        "gen_ai.evaluation.score.label": label(score),
        "gen_ai.response.id": response_id,
    }
    get_logger("support-bot").emit(LogRecord(event_name="gen_ai.evaluation.result", attributes=attributes))


class SupportBot:
    """What the application does, whatever the dialect."""

    def __init__(self, dialect, provider_url):
        self.dialect = dialect
        self.url = provider_url
        self.model = openai.OpenAI(base_url=f"{provider_url}/v1", api_key="unused", max_retries=0, timeout=10)

    def answer(self, feature, prompt, stream):
        token = prompt_version.set(prompt)
        try:
            with self.dialect.request(feature) as span:
                documents = self.search(QUESTION)
                text, response_id = self.complete(prompt, documents, stream)
                self.order_state("A-17")
                self.dialect.judge(span, 1.0 if "[doc-1]" in text else 0.0, response_id)
                span.set_status(Status(StatusCode.OK))
        finally:
            prompt_version.reset(token)

    def search(self, query):
        with self.dialect.retrieval(query) as found:
            result = get(f"{self.url}/search")
            index = {"gen_ai.data_source.version": result["version"], "gen_ai.retrieval.freshness.lag": result["lag_s"]}
            trace.get_current_span().set_attributes(index)
            found += result["documents"]
        return found

    def complete(self, prompt, documents, stream):
        context = "\n".join(f"[{d['id']}] {d['content']}" for d in documents)
        messages = [
            {"role": "system", "content": PROMPTS[prompt]},
            {"role": "user", "content": f"Context:\n{context}\n\nQuestion: {QUESTION}"},
        ]
        tools = get(f"{self.url}/tools")["tools"]
        request = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.2, "tools": tools}
        if not stream:
            response = self.model.chat.completions.create(**request)
            return response.choices[0].message.content, response.id
        text, response_id = "", ""
        usage = {"include_usage": True}
        for chunk in self.model.chat.completions.create(**request, stream=True, stream_options=usage):
            response_id = chunk.id
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
        return text, response_id

    def order_state(self, order):
        """A failing tool is told to the user, not raised: its span carries the error, the request goes on."""
        try:
            with self.dialect.tool("order_state", {"order": order}):
                return get(f"{self.url}/orders/{order}")
        except OSError:
            return None


def get(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def recorded(exporter, signal, encode, exports):
    """The exporter, noting the digest of each message it sends."""
    export = exporter.export

    def wrapper(batch, *args, **kwargs):
        result = export(batch, *args, **kwargs)
        digest = hashlib.sha256(encode(batch).SerializeToString()).hexdigest()
        exports.append({"signal": signal, "sha256": digest, "ok": result.name == "SUCCESS"})
        return result

    exporter.export = wrapper
    return exporter


def exporters(protocol, endpoint, exports):
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        made = [kind(endpoint=endpoint, insecure=True) for kind in (OTLPSpanExporter, OTLPLogExporter, OTLPMetricExporter)]
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        kinds = {"traces": OTLPSpanExporter, "logs": OTLPLogExporter, "metrics": OTLPMetricExporter}
        made = [
            kind(endpoint=f"{endpoint}/v1/{signal}", compression=Compression.Gzip) for signal, kind in kinds.items()
        ]
    signals = (("traces", encode_spans), ("logs", encode_logs), ("metrics", encode_metrics))
    return [recorded(exporter, *signal, exports) for exporter, signal in zip(made, signals)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialect", choices=DIALECTS, required=True)
    parser.add_argument("--protocol", choices=("grpc", "http"), required=True)
    parser.add_argument("--endpoint", required=True, help="OTLP endpoint, as in OTEL_EXPORTER_OTLP_ENDPOINT")
    parser.add_argument("--provider", required=True, help="base URL of the model provider")
    arguments = parser.parse_args()

    exports = []
    spans, logs, metrics = exporters(arguments.protocol, arguments.endpoint, exports)
    resource = Resource.create({"service.name": "support-bot", "service.version": "1.4.2"})
    kind = DIALECTS[arguments.dialect]
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(PromptVersion(kind.prompt_attributes))
    tracing.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(tracing)
    logging = LoggerProvider(resource=resource)
    logging.add_log_record_processor(BatchLogRecordProcessor(logs))
    set_logger_provider(logging)
    metering = MeterProvider([PeriodicExportingMetricReader(metrics, export_interval_millis=60_000)], resource=resource)
    set_meter_provider(metering)

    providers = (tracing, logging, metering)
    bot = SupportBot(kind(), arguments.provider)
    print(json.dumps({"event": "ready", "dialect": arguments.dialect, "protocol": arguments.protocol}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        failed = 0
        prompts = command.get("prompt", "v7")
        prompts = [prompts] if isinstance(prompts, str) else prompts
        for n in range(command.get("n", 1)):
            try:
                bot.answer(command.get("feature", "support"), prompts[n % len(prompts)], command.get("stream", False))
            except (openai.OpenAIError, OSError):
                failed += 1
        for provider in providers:
            provider.force_flush()
        done, exports[:] = list(exports), []
        print(json.dumps({"answered": command.get("n", 1) - failed, "failed": failed, "exports": done}), flush=True)
    for provider in providers:
        provider.shutdown()
    print(json.dumps({"answered": 0, "failed": 0, "exports": exports}), flush=True)


if __name__ == "__main__":
    main()
