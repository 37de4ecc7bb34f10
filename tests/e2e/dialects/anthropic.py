"""The Anthropic SDK's own spans, with content."""

import os

os.environ["ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"] = "content"

import anthropic

from . import otel, support
from .otel import flush

__all__ = ["flush", "start"]
MODEL = {"model": "claude-opus-5", "max_tokens": 100}
OFFERED = [
    {"name": it["name"], "description": it["description"], "input_schema": it["parameters"]} for it in support.CONTRACTS
]


def start():
    tracer, client = otel.tracing().get_tracer("app"), anthropic.Anthropic()

    def chat():
        with tracer.start_as_current_span("ask"):
            said = [{"role": "user", "content": support.CAPITAL}]
            client.messages.create(**MODEL, system=support.SYSTEM, messages=said)

    def agent():
        with tracer.start_as_current_span("ask"):
            said = [{"role": "user", "content": "Where is my order A-1001?"}]
            while (answer := client.messages.create(**MODEL, messages=said, tools=OFFERED)).stop_reason == "tool_use":
                asked = [block for block in answer.content if block.type == "tool_use"]
                said.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in asked]})
                said.append({"role": "user", "content": [result(block) for block in asked]})

    return {"chat": chat, "tools": agent}


def result(block):
    """What a tool said; a failure as a text that is marked as one."""
    said = support.run(support.TOOLS[block.name], block.input)
    failure = said.get("error") if isinstance(said, dict) else None
    content = [{"type": "text", "text": failure or str(said)}]
    return {"type": "tool_result", "tool_use_id": block.id, "content": content, "is_error": failure is not None}
