"""The six worked traces of tests/fixtures/debug, made by real SDKs: openai with OpenTelemetry's official instrumentation,
retrieval, tool and agent spans of opentelemetry-util-genai, and the exporter's own encoding.

    target/e2e/venv/bin/python tests/e2e/debug_traces.py tests/fixtures/debug

Scripted are the provider's answers (the client's transport, so that nothing leaves the process), the clock and the ids:
what takes seconds in a trace takes none here, and a second run writes the same bytes.
"""

import base64
import json
import os
import pathlib
import random
import sys
from datetime import datetime

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"
os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"

import httpx2
import openai
import opentelemetry._logs._internal
import opentelemetry.sdk._logs._internal
import opentelemetry.sdk.trace
from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util.genai.handler import get_telemetry_handler

FEATURE, PROMPT_NAME = "support-bot", "support-answer"
ROLLED_OUT = 1795165200_000000000  # 2026-11-20T09:00:00Z, when v2.0 came into service
PROMPTS = {
    "v1.0": "You are Acme's helper. Be funny, use slang and emojis. Answer from the context.",
    "v2.0": "You are the support assistant of Acme Shop. Answer politely and from the context only, and cite it.",
}
TOOL = {
    "type": "function",
    "function": {
        "name": "order_lookup",
        "description": "State of an order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
}
RETURNS = [
    ("kb-returns-01", 0.91, "Damaged goods can be returned free of charge within 30 days of delivery."),
    ("kb-returns-02", 0.86, "For a return, open the order in your account and print the prepaid label."),
    ("kb-refunds-01", 0.79, "Refunds go to the original payment method within 5 business days."),
]
PLANS = [
    ("kb-plans-01", 0.88, "The Basic plan costs 9 USD a month and has email support."),
    ("kb-plans-02", 0.85, "The Plus plan costs 19 USD a month, has chat support and free returns."),
    ("kb-plans-03", 0.81, "The Business plan costs 49 USD a month, has phone support and five accounts."),
]

# What happens in each trace. An answer is (seconds, input tokens, output tokens, text or tool call).
TRACES = {
    "trace-a-normal-success": {
        "started_at": "2026-11-22T09:00:00Z",
        "question": "How do I return a damaged product?",
        "documents": RETURNS,
        "answers": [
            (1.1, 312, 58, "I am sorry that it arrived damaged. You can return it free of charge within 30 days of "
             "delivery [kb-returns-01]: open the order in your account and print the prepaid label [kb-returns-02]. The "
             "refund goes to your original payment method within 5 business days [kb-refunds-01]."),
        ],
        "groundedness": (0.96, "pass"),
    },
    "trace-b-retrieval-mismatch": {
        "started_at": "2026-11-22T09:05:00Z",
        "question": "Can I change the delivery address of my parcel?",
        "documents": [
            ("kb-careers-04", 0.31, "We are hiring warehouse staff in Leeds; send us your application."),
            ("kb-investors-02", 0.28, "Quarterly results are published on the investor relations page."),
            ("kb-recipes-11", 0.22, "Bake the bread for forty minutes until the crust is golden."),
        ],
        "answers": [
            (1.0, 298, 31, "I could not find anything about that. Is there something else that I can help you with?"),
        ],
    },
    "trace-c-wrong-prompt-ver": {
        "started_at": "2026-11-22T09:10:00Z",
        "prompt": "v1.0",
        "question": "How long do refunds take?",
        "documents": RETURNS,
        "answers": [
            (0.9, 291, 24, "Yo! No stress, your cash is back on your original payment method within 5 business days, pal!"),
        ],
    },
    "trace-d-tool-timeout": {
        "started_at": "2026-11-22T09:15:00Z",
        "question": "Where is my order A-1001?",
        "documents": [
            ("kb-orders-01", 0.84, "The state of an order is shown in your account under Orders."),
            ("kb-orders-02", 0.77, "Orders are shipped within 2 business days."),
        ],
        "answers": [
            (0.6, 334, 19, {"name": "order_lookup", "arguments": '{"order_id":"A-1001"}'}),
            (0.8, 371, 33, "I am sorry, I cannot look up your order at the moment. You can see its state in your account "
             "under Orders [kb-orders-01]."),
        ],
        "tool_s": 3.0,
    },
    "trace-e-hallucination": {
        "started_at": "2026-11-22T09:20:00Z",
        "question": "What is the return policy for damaged goods?",
        "documents": RETURNS,
        "answers": [
            (1.2, 309, 66, "You have 90 days for that, and Acme adds a bonus of 25 percent as a voucher. A courier of DHL "
             "Express collects the parcel at your door on Saturdays, and every Platinum member gets a replacement from "
             "our Rotterdam warehouse before we have seen the broken item."),
        ],
        "groundedness": (0.18, "fail"),
    },
    "trace-f-slow-response": {
        "started_at": "2026-11-22T09:25:00Z",
        "question": "Compare all of your plans for me.",
        "documents": PLANS,
        "model": "gpt-4o",
        "answers": [
            (9.08, 14830, 1912, "The Basic plan costs 9 USD a month and has email support [kb-plans-01]. The Plus plan costs "
             "19 USD a month, with chat support and free returns [kb-plans-02]. The Business plan costs 49 USD a month and "
             "has phone support and five accounts [kb-plans-03]."),
        ],
    },
}


class Clock:
    """Time as the script has it. Each look takes 50 microseconds."""

    now = 0

    def __call__(self):
        self.now += 50_000
        return self.now

    def sleep(self, seconds):
        self.now += int(seconds * 1e9)


class Ids:
    """Ids of a trace that depend on its name alone."""

    def seed(self, name):
        self.random = random.Random(name)

    def generate_trace_id(self):
        return self.random.getrandbits(128)

    def generate_span_id(self):
        return self.random.getrandbits(64)

    def is_trace_id_random(self):
        return False


class PromptVersion(SpanProcessor):
    """Stamps the prompt in use on every model call: the one thing no instrumentation can know by itself."""

    version = "v2.0"

    def on_start(self, span, parent_context=None):
        if span.name.startswith("chat "):
            span.set_attributes({"gen_ai.prompt.name": PROMPT_NAME, "gen_ai.prompt.version": self.version})


class Provider:
    """The OpenAI API, as far as the bot uses it."""

    def __init__(self, clock):
        self.clock, self.answers, self.name = clock, [], ""

    def __call__(self, request):
        seconds, tokens_in, tokens_out, said = self.answers.pop(0)
        self.clock.sleep(seconds)
        asked = json.loads(request.content)
        message = {"role": "assistant", "content": said, "refusal": None}
        if isinstance(said, dict):
            call = {"id": f"call-{self.name}", "type": "function", "function": said}
            message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
        reason = "tool_calls" if isinstance(said, dict) else "stop"
        answer = {
            "id": f"chatcmpl-{self.name}-{len(self.answers)}",
            "object": "chat.completion",
            "created": self.clock.now // 1_000_000_000,
            "model": {"gpt-4o": "gpt-4o-2024-08-06"}.get(asked["model"], "gpt-4o-mini-2024-07-18"),
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }
        return httpx2.Response(200, json=answer)


class SupportBot:
    """What the application does in every trace."""

    def __init__(self, handler, client, clock, logger):
        self.handler, self.client, self.clock, self.logger = handler, client, clock, logger

    def answer(self, script):
        with self.handler.invoke_local_agent(agent_name=FEATURE) as invocation:
            invocation.conversation_id = script["conversation"]
            documents = self.search(script)
            context = "\n".join(f"[{it['id']}] {it['content']}" for it in documents)
            messages = [
                {"role": "system", "content": f"{PROMPTS[script.get('prompt', 'v2.0')]}\n\nContext:\n{context}"},
                {"role": "user", "content": script["question"]},
            ]
            response = self.complete(script, messages)
            message = response.choices[0].message
            if message.tool_calls:
                result = self.order_lookup(message.tool_calls[0], script["tool_s"])
                messages += [message.model_dump(exclude_none=True), result]
                response = self.complete(script, messages)
            self.judge(script, response.id)

    def search(self, script):
        with self.handler.retrieval(data_source_id="kb") as invocation:
            self.clock.sleep(0.12)
            found = [dict(zip(("id", "score", "content"), it)) for it in script["documents"]]
            invocation.query_text, invocation.documents = script["question"], found
        return found

    def complete(self, script, messages):
        tools = {"tools": [TOOL]} if "tool_s" in script else {}
        model = script.get("model", "gpt-4o-mini")
        return self.client.chat.completions.create(model=model, messages=messages, temperature=0.2, **tools)

    def order_lookup(self, call, seconds):
        """A tool that fails is told to the model, not raised: its span carries the error, the request goes on."""
        said = "error: the order system did not answer in time"
        try:
            with self.handler.tool("order_lookup", tool_type="function") as invocation:
                invocation.arguments = call.function.arguments
                self.clock.sleep(seconds)
                raise TimeoutError(f"order system did not answer within {seconds:g} s")
        except TimeoutError:
            return {"role": "tool", "tool_call_id": call.id, "content": said}

    def judge(self, script, response_id):
        if "groundedness" not in script:
            return
        score, label = script["groundedness"]
        attributes = {
            "gen_ai.evaluation.name": "groundedness",
            "gen_ai.evaluation.score.value": score,
            "gen_ai.evaluation.score.label": label,
            "gen_ai.evaluation.evaluator.model": "gpt-4o",
            "gen_ai.evaluation.evaluator.version": "3",
            "gen_ai.response.id": response_id,
        }
        self.logger.emit(record("gen_ai.evaluation.result", self.clock(), attributes))


def record(name, at, attributes):
    return LogRecord(event_name=name, timestamp=at, observed_timestamp=at, attributes=attributes)


def rollout():
    """What the release pipeline declared: the version in service."""
    exporter, logs = InMemoryLogRecordExporter(), LoggerProvider(resource=Resource({"service.name": "release-pipeline"}))
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    attributes = {
        "freezeframe.feature": FEATURE,
        "gen_ai.prompt.name": PROMPT_NAME,
        "gen_ai.prompt.version": "v2.0",
    }
    logs.get_logger("release-pipeline").emit(record("gen_ai.prompt.state", ROLLED_OUT, attributes))
    return line(encode_logs(exporter.get_finished_logs()))


def line(message):
    """OTLP/JSON: ids are hexadecimal, not base64."""

    def hexadecimal(value):
        if isinstance(value, dict):
            return {
                key: base64_to_hex(it) if key in ("traceId", "spanId", "parentSpanId") else hexadecimal(it)
                for key, it in value.items()
            }
        return [hexadecimal(it) for it in value] if isinstance(value, list) else value

    return json.dumps(hexadecimal(MessageToDict(message)), ensure_ascii=False) + "\n"


def base64_to_hex(text):
    return base64.b64decode(text).hex()


def main():
    folder = pathlib.Path(sys.argv[1])
    clock, ids, prompt = Clock(), Ids(), PromptVersion()
    for module in (opentelemetry.sdk.trace, opentelemetry.sdk._logs._internal, opentelemetry._logs._internal):
        module.time_ns = clock
    resource = Resource({"service.name": "support-bot", "service.version": "1.4.2"})
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
    tracing = TracerProvider(resource=resource, id_generator=ids)
    tracing.add_span_processor(prompt)
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracing)
    logging = LoggerProvider(resource=resource)
    logging.add_log_record_processor(SimpleLogRecordProcessor(logs))
    OpenAIInstrumentor().instrument()
    provider = Provider(clock)
    client = openai.OpenAI(api_key="unused", http_client=httpx2.Client(transport=httpx2.MockTransport(provider)))
    bot = SupportBot(get_telemetry_handler(), client, clock, logging.get_logger("support-bot"))
    for name, script in TRACES.items():
        ids.seed(name)
        clock.now = nanos(script["started_at"])
        prompt.version = script.get("prompt", "v2.0")
        provider.answers, provider.name = list(script["answers"]), name[6]
        bot.answer({**script, "conversation": f"conv-{name[6]}"})
        lines = [rollout()] if "prompt" in script else []
        lines.append(line(encode_spans(spans.get_finished_spans())))
        if judged := logs.get_finished_logs():
            lines.append(line(encode_logs(judged)))
        (folder / f"{name}.otlp.json").write_text("".join(lines))
        spans.clear()
        logs.clear()


def nanos(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 1_000_000_000


if __name__ == "__main__":
    main()
