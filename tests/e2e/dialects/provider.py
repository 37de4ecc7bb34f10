"""A model on loopback, inside the process that asks it: the OpenAI and the Anthropic API with answers that never vary,
and tokens counted as when the captures were recorded. A question about an order runs through get_order and search_kb, then convert_currency, then the answer.
Standard library only.
"""

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CAPITAL = "The capital of France is Paris."
RETURNS = "Your order A-1001 was delivered on 2026-10-01; you can return it within 30 days."
ROUNDS = [
    [("get_order", {"order_id": "A-1001"}), ("search_kb", {"query": "refund policy for damaged goods"})],
    [("convert_currency", {"amount": "12.50", "currency": "EUR"})],
    [],
]
# Of the plain question, then of each round with tools. Anthropic's input is without the cached tokens.
OUTPUT_TOKENS = [8, 75, 41, 20]
ANTHROPIC_TOKENS = [(11, 7), (10, 75), (131, 41), (145, 20)]
MODEL_SERVED = {"gpt-4o-mini": "gpt-4o-mini-2024-07-18"}
numbers = itertools.count(1)


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with_tools = bool(request.get("tools"))
        step = 1 + sum(map(asks_tools, request["messages"])) if with_tools else 0
        calls = ROUNDS[step - 1] if with_tools else []
        text = None if calls else RETURNS if with_tools else CAPITAL
        if self.path.endswith("/messages"):
            self.reply(anthropic(request["model"], text, calls, *ANTHROPIC_TOKENS[step]))
        else:
            input_tokens = sum(len(content(message)) // 4 + 4 for message in request["messages"])
            self.reply(openai(request["model"], text, calls, input_tokens, OUTPUT_TOKENS[step]))

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("request-id", "req_fake")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def asks_tools(message):
    blocks = message["content"] if isinstance(message.get("content"), list) else []
    return bool(message.get("tool_calls")) or any(block["type"] == "tool_use" for block in blocks)


def content(message):
    parts = message.get("content")
    return "".join(part["text"] for part in parts) if isinstance(parts, list) else str(parts)


def openai(model, text, calls, input_tokens, output_tokens):
    asked = [
        {"id": f"call_{next(numbers)}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for name, given in calls
    ]
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    usage = {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": input_tokens // 2, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return {
        "id": f"chatcmpl-{next(numbers)}",
        "object": "chat.completion",
        "created": 1795310434,
        "model": MODEL_SERVED[model],
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [
            {
                "index": 0,
                "message": {**message, "tool_calls": asked} if asked else message,
                "logprobs": None,
                "finish_reason": "tool_calls" if asked else "stop",
            }
        ],
        "usage": usage,
    }


def anthropic(model, text, calls, input_tokens, output_tokens):
    asked = [{"type": "tool_use", "id": f"toolu_{next(numbers)}", "name": name, "input": given} for name, given in calls]
    usage = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 11,
        "service_tier": "standard",
    }
    return {
        "id": f"msg-{next(numbers)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": asked or [{"type": "text", "text": text}],
        "stop_reason": "tool_use" if asked else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def serve():
    """Serves until the process ends; returns the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
