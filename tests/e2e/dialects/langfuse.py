"""langfuse: its OpenAI client and its decorator, posting to its own path."""

import os

os.environ["LANGFUSE_BASE_URL"] = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
os.environ.update(LANGFUSE_PUBLIC_KEY="pk-lf-fake", LANGFUSE_SECRET_KEY="sk-lf-fake")
os.environ.update(LANGFUSE_TRACING_ENVIRONMENT="prod", LANGFUSE_RELEASE="1.8.2")

import langfuse
from langfuse import observe, openai

from . import support

ABOUT = {
    "user_id": support.USER,
    "session_id": support.SESSION,
    "metadata": support.ABOUT,
    "version": "1.8.2",
    "tags": support.TAGS,
    "trace_name": "support",
}


def start():
    client = openai.OpenAI()
    tools = {name: observe(work, name=name, as_type="tool") for name, work in support.TOOLS.items()}

    @observe(name="ask")
    def ask(question):
        return support.chat(client, question)

    @observe(name="support_agent", as_type="agent")
    def agent(question):
        return support.agent(client, tools)

    def chat():
        with langfuse.propagate_attributes(**ABOUT):
            ask(support.CAPITAL)

    def answer():
        with langfuse.propagate_attributes(**ABOUT):
            agent("Where is my order A-1001?")

    return {"chat": chat, "tools": answer}


def flush():
    langfuse.get_client().shutdown()
