"""langsmith in its OpenTelemetry mode: a wrapped OpenAI client and its decorator."""

import os

os.environ["LANGSMITH_ENDPOINT"] = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_OTEL_ENABLED="true", LANGSMITH_OTEL_ONLY="true")
os.environ.update(LANGSMITH_PROJECT="acme-support", LANGSMITH_API_KEY="unused")

import openai
from langsmith import traceable
from langsmith.run_trees import get_cached_client
from langsmith.wrappers import wrap_openai

from . import support

ABOUT = {"session_id": support.SESSION, "user_id": support.USER, **support.ABOUT}


def start():
    client = wrap_openai(openai.OpenAI(), tracing_extra={"tags": ["prod"], "metadata": ABOUT})
    tools = {name: traceable(work, run_type="tool", name=name) for name, work in support.TOOLS.items()}

    @traceable(run_type="chain", name="ask", metadata=ABOUT, tags=support.TAGS)
    def ask(q):
        return support.chat(client, q)

    @traceable(run_type="chain", name="support_agent", metadata=ABOUT, tags=support.TAGS)
    def agent(q):
        return support.agent(client, tools)

    return {"chat": lambda: ask(support.CAPITAL), "tools": lambda: agent("Where is my order A-1001?")}


def flush():
    from opentelemetry import trace

    get_cached_client().flush()
    trace.get_tracer_provider().force_flush()
