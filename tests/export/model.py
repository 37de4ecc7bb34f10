"""An OpenAI-like model on loopback that gives one answer, and passes what it is asked to judge. Writes its URL to a file."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_judge = "rubric" in json.dumps(body["messages"]).lower()
        verdict = json.dumps({"pass": True, "score": 1, "reason": "scripted"})
        message = {"role": "assistant", "content": verdict if is_judge else "It leaves on Monday."}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        reply = {"id": "1", "object": "chat.completion", "model": body.get("model"), "choices": choices, "usage": usage}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
with open(sys.argv[1], "w") as file:
    file.write(f"http://127.0.0.1:{server.server_port}/v1")
server.serve_forever()
