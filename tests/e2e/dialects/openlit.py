"""openlit, with its decorator around the one question and nothing around the agent: each of its calls is a trace."""

import os

import openai
import openlit
from opentelemetry import _logs, trace

from . import support


def start():
    endpoint = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
    openlit.init(otlp_endpoint=endpoint, application_name="support-api", environment="prod", pricing_json=os.devnull)
    client = openai.OpenAI()

    @openlit.trace
    def ask():
        return support.chat(client)

    return {"chat": ask, "tools": lambda: support.agent(client)}


def flush():
    trace.get_tracer_provider().shutdown()
    _logs.get_logger_provider().shutdown()
