"""mlflow-tracing with its autologging of OpenAI, exporting over OTLP."""

import os

endpoint = os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT")
os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{endpoint}/v1/traces"
os.environ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"

import mlflow
import openai

from . import support


def start():
    mlflow.openai.autolog()
    client = openai.OpenAI()

    @mlflow.trace(name="ask", span_type="CHAIN")
    def ask(q):
        mlflow.update_current_trace(tags={"feature": "order-help"})
        return support.chat(client)

    return {"chat": lambda: ask("capital?")}


def flush():
    from mlflow.tracing.provider import provider

    provider.get().force_flush()
