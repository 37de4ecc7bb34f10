"""Exported cases for Phoenix and OpenAI: a Phoenix server on loopback takes the dataset and gives it back, and the types of
OpenAI's SDK take the lines. Fails with the first one that is refused."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

from openai.types.chat import ChatCompletionMessageParam
from openai.types.evals.create_eval_jsonl_run_data_source_param import CreateEvalJSONLRunDataSourceParam
from phoenix.client import Client
from pydantic import TypeAdapter

cases, home = Path(sys.argv[1]), sys.argv[2]
START_SECONDS = 120


def file(name):
    (path,) = cases.glob(f"*.{name}.json*")
    return path


lines = [json.loads(line) for line in file("openai-jsonl").read_text().splitlines()]
source = {"type": "jsonl", "source": {"type": "file_content", "content": lines}}
TypeAdapter(CreateEvalJSONLRunDataSourceParam).validate_python(source)
for line in lines:
    messages = line["item"]["messages"]
    TypeAdapter(list[ChatCompletionMessageParam]).validate_python(messages)
    assert all(it["role"] != "assistant" for it in messages), "an answer stands among the messages"
print("openai", version("openai"), len(lines), "items")

ports = []
for _ in range(2):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ports.append(str(free.getsockname()[1]))
url = f"http://127.0.0.1:{ports[0]}"
own = {"PHOENIX_WORKING_DIR": home, "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": ports[0], "PHOENIX_GRPC_PORT": ports[1]}
own["PHOENIX_TELEMETRY_ENABLED"] = "false"
serve = [str(Path(sys.executable).with_name("phoenix")), "serve"]
with open(Path(home) / "server.log", "w") as log:
    server = subprocess.Popen(serve, env={**os.environ, **own}, stdout=log, stderr=log)
try:
    for _ in range(START_SECONDS):
        try:
            urllib.request.urlopen(f"{url}/healthz")
            break
        except OSError:
            assert server.poll() is None, f"the server ended: {home}/server.log"
            time.sleep(1)
    body = file("phoenix").read_bytes()
    headers = {"content-type": "application/json"}
    upload = urllib.request.Request(f"{url}/v1/datasets/upload?sync=true", body, headers)
    created = json.load(urllib.request.urlopen(upload))["data"]["num_created_examples"]
    document = json.loads(body)
    kept = Client(base_url=url).datasets.get_dataset(dataset=document["name"]).examples
    said = [[it["input"], it["output"], it["metadata"]] for it in kept]
    wanted = [list(it) for it in zip(document["inputs"], document["outputs"], document["metadata"])]
    assert created == len(wanted) and all(it in said for it in wanted), "what was uploaded is not what is kept"
finally:
    server.terminate()
    server.wait()
print("phoenix", version("arize-phoenix"), created, "examples")
