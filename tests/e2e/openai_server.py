"""A model provider on loopback: the OpenAI API with faults that can be switched on and off.

Speaks chat completions (plain and streamed), embeddings, and the back ends an application has beside its model:
GET /search (the index), GET /tools (the tools on offer) and GET /orders/ID (a tool). Standard library only.

PUT /faults with a JSON object replaces all faults; {} is health:
  bad_prompt    answer badly when the system prompt contains this text
  status        fail chat completions with this HTTP status (429, 500, ...)
  delay_s       wait before answering a chat completion
  refuse        refuse every question
  empty_index   /search finds nothing
  broken_tool   /orders answers 503
  swapped_model this share of answers is another model's behind the same name, most of them bad
  stale_index   this share of searches is answered from an old index; most answers from it are bad
  tight_schema  this share of offers has a tool whose argument must have a form it did not; most answers are bad

Prints one JSON line {"event": "ready", "url": ...} and serves until its standard input ends.
"""

import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GOOD = "Damaged goods can be returned within 30 days of delivery [doc-1]."
BAD = "As far as I know you can keep everything for a year and we pay you twice."
REFUSAL = "I'm sorry, but I can't help with that."
DOCUMENTS = [
    {"id": "doc-1", "score": 0.91, "content": "Damaged goods can be returned within 30 days."},
    {"id": "doc-2", "score": 0.74, "content": "Refunds are paid to the original payment method."},
]
OLD_DOCUMENTS = [{"id": "doc-1", "score": 0.9, "content": "Damaged goods can be returned within 90 days."}]
ORDER = {"type": "string"}
# What a fault of a share does not spoil, and what goes wrong without one.
LUCKY, UNLUCKY = 0.3, 0.03
CHUNK = "chat.completion.chunk"
chance = random.Random(7)


def system_prompt(messages):
    return " ".join(str(m.get("content")) for m in messages if m.get("role") in ("system", "developer"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults = {}

    def do_PUT(self):
        type(self).faults = self.body()
        self.reply(200, self.faults)

    def do_GET(self):
        if self.path.startswith("/search"):
            self.reply(200, self.search())
        elif self.path == "/tools":
            order = {**ORDER, "pattern": "^[0-9]+$"} if self.strikes("tight_schema") else ORDER
            parameters = {"type": "object", "properties": {"order": order}, "required": ["order"]}
            function = {"name": "order_state", "description": "State of an order", "parameters": parameters}
            self.reply(200, {"tools": [{"type": "function", "function": function}]})
        elif self.path.startswith("/orders/") and not self.faults.get("broken_tool"):
            self.reply(200, {"order": self.path.rsplit("/", 1)[1], "state": "delivered"})
        else:
            self.reply(503, {"error": "order system unavailable"})

    def do_POST(self):
        request = self.body()
        if self.path.endswith("/chat/completions"):
            self.chat(request)
        elif self.path.endswith("/embeddings"):
            vector = {"object": "embedding", "index": 0, "embedding": [0.1] * 8}
            usage = {"prompt_tokens": 7, "total_tokens": 7}
            self.reply(200, {"object": "list", "model": request["model"], "data": [vector], "usage": usage})
        else:
            self.reply(404, {"error": {"message": "no such path"}})

    def strikes(self, fault):
        return chance.random() < self.faults.get(fault, 0)

    def search(self):
        if self.strikes("stale_index"):
            return {"index": "kb", "version": "2026-10-02", "lag_s": 4_400_000, "documents": OLD_DOCUMENTS}
        documents = [] if self.faults.get("empty_index") else DOCUMENTS
        return {"index": "kb", "version": "2026-11-20", "lag_s": 600, "documents": documents}

    def is_bad(self, request, is_swapped):
        bad = self.faults.get("bad_prompt")
        if bad and bad in system_prompt(request["messages"]):
            return True
        spoiled = is_swapped or OLD_DOCUMENTS[0]["content"] in str(request["messages"]) or "pattern" in str(request.get("tools"))
        shares = ("swapped_model", "stale_index", "tight_schema")
        is_rated = any(self.faults.get(fault) is not None for fault in shares)
        return is_rated and chance.random() < (1 - LUCKY if spoiled else UNLUCKY)

    def chat(self, request):
        time.sleep(self.faults.get("delay_s", 0))
        if status := self.faults.get("status"):
            error = {"message": "injected fault", "type": "injected", "code": str(status)}
            return self.reply(status, {"error": error})
        is_swapped = self.strikes("swapped_model")
        text = BAD if self.is_bad(request, is_swapped) else GOOD
        text = REFUSAL if self.faults.get("refuse") else text
        answer = {
            "id": f"chatcmpl-{time.monotonic_ns():x}",
            "created": int(time.time()),
            "model": f"{request['model']}-{'2026-11-19' if is_swapped else '2024-07-18'}",
        }
        usage = {"prompt_tokens": 68, "completion_tokens": 13, "total_tokens": 81}
        if request.get("stream"):
            return self.stream(answer, text, usage, request.get("stream_options") or {})
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.reply(200, {**answer, "object": "chat.completion", "choices": [choice], "usage": usage})

    def stream(self, answer, text, usage, options):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word in text.split(" "):
            self.event({**answer, "object": CHUNK, "choices": [{"index": 0, "delta": {"content": word + " "}}]})
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        self.event({**answer, "object": CHUNK, "choices": [last]})
        if options.get("include_usage"):
            self.event({**answer, "object": CHUNK, "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"event": "ready", "url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
