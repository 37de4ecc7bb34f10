"""An on-call tool: takes Alertmanager's webhook and pulls the evidence of every firing alert that names a frame.

For an alert with a `frame_url` annotation it fetches the frame and, beside it, the auditor's bundle, and stores
both under --dir as <frame_id>.json and <frame_id>.bundle. GET /seen lists what was received. Standard library only.

Prints one JSON line {"event": "ready", "url": ...} and serves until its standard input ends.
"""

import argparse
import hashlib
import json
import pathlib
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def fetch(url, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
        return response.read()


class Handler(BaseHTTPRequestHandler):
    directory = pathlib.Path(".")
    token = None
    seen = []
    pulled = {}

    def do_POST(self):
        notification = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in notification["alerts"]:
            record = {key: alert[key] for key in ("status", "labels", "annotations", "startsAt", "fingerprint")}
            if alert["status"] == "firing" and alert["annotations"].get("frame_url"):
                record["frame"] = self.pull(alert["annotations"])
            self.seen.append({"receiver": notification["receiver"], **record})
        self.reply(200, {})

    def do_GET(self):
        self.reply(200, self.seen)

    def pull(self, annotations):
        """What was stored, once a frame: the committed bytes never change, so pulling twice would prove nothing."""
        frame_id = annotations["frame_id"]
        if frame_id not in self.pulled:
            frame = fetch(annotations["frame_url"], self.token)
            bundle = fetch(annotations["frame_url"].removesuffix("/frame") + "/bundle", self.token)
            paths = {"path": frame_id + ".json", "bundle": frame_id + ".bundle"}
            (self.directory / paths["path"]).write_bytes(frame)
            (self.directory / paths["bundle"]).write_bytes(bundle)
            self.pulled[frame_id] = {**paths, "sha256": hashlib.sha256(frame).hexdigest()}
        return self.pulled[frame_id]

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--token")
    arguments = parser.parse_args()
    Handler.directory, Handler.token = arguments.dir, arguments.token
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"event": "ready", "url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
