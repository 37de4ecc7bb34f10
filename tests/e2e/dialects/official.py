"""opentelemetry-instrumentation-genai-openai, with the spans of opentelemetry-util-genai, in its default settings."""

import openai
from opentelemetry import trace

from . import otel, support
from .otel import flush

__all__ = ["flush", "start"]


def start():
    provider = otel.tracing()
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    from opentelemetry.util.genai.handler import get_telemetry_handler

    OpenAIInstrumentor().instrument()
    handler, tracer, client = get_telemetry_handler(), provider.get_tracer("support-api"), openai.OpenAI()

    def served(route, work):
        about = {"http.request.method": "POST", "http.route": route, "session.id": "sess-9", "user.id": "user-42"}
        with tracer.start_as_current_span(f"POST {route}", kind=trace.SpanKind.SERVER, attributes=about):
            return work()

    def traced(name, tool):
        def call(**arguments):
            with handler.tool(name, tool_type="function"):
                return tool(**arguments)

        return call

    tools = {name: traced(name, tool) for name, tool in support.TOOLS.items()}

    def agent():
        with handler.invoke_local_agent(agent_name="support_agent") as invocation:
            invocation.conversation_id = "conv-77"
            support.agent(client, tools)

    return {"chat": lambda: served("/ask", lambda: support.chat(client)), "tools": lambda: served("/agent", agent)}
