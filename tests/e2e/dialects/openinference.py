"""openinference-instrumentation-openai, with the tracer's own spans for the agent and its tools."""

import json

import openai

from . import otel, support
from .otel import flush

__all__ = ["flush", "start"]


def start():
    provider = otel.tracing()
    from openinference.instrumentation import OITracer, TraceConfig, using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.trace import Status, StatusCode

    OpenAIInstrumentor().instrument()
    tracer, client = OITracer(provider.get_tracer("support-api"), TraceConfig()), openai.OpenAI()
    about = {
        "session_id": support.SESSION,
        "user_id": support.USER,
        "metadata": {**support.ABOUT, "tenant": "acme"},
        "tags": support.TAGS,
    }

    def traced(name, tool):
        def call(**arguments):
            with tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
                span.set_tool(name=name, parameters=arguments)
                span.set_input(arguments)
                result = tool(**arguments)
                span.set_output(json.dumps(result), mime_type="application/json")
                span.set_status(Status(StatusCode.OK))
                return result

        return call

    tools = {name: traced(name, tool) for name, tool in support.TOOLS.items()}

    def chat():
        with using_attributes(**about):
            support.chat(client)

    def agent():
        with using_attributes(**about):
            with tracer.start_as_current_span("support_agent", openinference_span_kind="agent") as span:
                span.set_input("Where is my order A-1001?")
                span.set_output(support.agent(client, tools))
                span.set_status(Status(StatusCode.OK))

    return {"chat": chat, "tools": agent}
