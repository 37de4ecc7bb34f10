"""opentelemetry-instrumentation-openai of OpenLLMetry. traceloop-sdk itself needs a package that has no wheel, so what its
decorators and its span processor add is written out here.
"""

import json
from contextlib import contextmanager

import openai
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Status, StatusCode

from . import otel, support
from .otel import flush

__all__ = ["flush", "start"]
ABOUT = {"user_id": support.USER, "session_id": support.SESSION, **support.ABOUT}


class Association(SpanProcessor):
    """Puts the properties of the session on every span."""

    def on_start(self, span, parent_context=None):
        span.set_attributes({f"traceloop.association.properties.{key}": value for key, value in ABOUT.items()})


def start():
    provider = otel.tracing(env="prod", version="1.8.2")
    provider.add_span_processor(Association())
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    tracer, client = provider.get_tracer("traceloop.tracer"), openai.OpenAI()

    @contextmanager
    def entity(kind, name, args, kwargs):
        with tracer.start_as_current_span(f"{name}.{kind}", set_status_on_exception=False) as span:
            span.set_attribute("traceloop.span.kind", kind)
            span.set_attribute("traceloop.entity.name", name)
            span.set_attribute("traceloop.entity.input", json.dumps({"args": args, "kwargs": kwargs}))
            try:
                yield lambda output: span.set_attribute("traceloop.entity.output", json.dumps(output))
            except ValueError as error:
                span.set_status(Status(StatusCode.ERROR, str(error)))
                raise

    def traced(name, tool):
        def call(**arguments):
            with entity("tool", name, [], arguments) as returns:
                result = tool(**arguments)
                returns(result)
                return result

        return call

    tools = {name: traced(name, tool) for name, tool in support.TOOLS.items()}

    def chat():
        with entity("workflow", "ask", [], {}) as returns:
            returns(support.chat(client))

    def agent():
        with entity("agent", "support_agent", ["Where is my order A-1001?"], {}) as returns:
            returns(support.agent(client, tools))

    return {"chat": chat, "tools": agent}
