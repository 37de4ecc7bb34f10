"""Exported cases, read by the types of the SDKs they are for. Fails with the first one that is refused."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import langfuse.api as langfuse
from deepeval.dataset import EvaluationDataset

from langsmith import schemas
from pydantic.v1 import parse_obj_as
from ragas import SingleTurnSample

cases = Path(sys.argv[1])

def file(name):
    (path,) = cases.glob(f"*.{name}.json*")
    return path

document = json.loads(file("langfuse").read_text())
for item in document["items"]:
    parse_obj_as(langfuse.CreateDatasetItemRequest, item)
for event in document["batch"]:
    parse_obj_as(langfuse.IngestionEvent, event)
print("langfuse", version("langfuse"), len(document["items"]), "items", len(document["batch"]), "events")

document = json.loads(file("langsmith").read_text())
for example in document["examples"]:
    schemas.Example.model_validate(example)
for run in document["runs"]:
    schemas.Run.model_validate(run)
print("langsmith", version("langsmith"), len(document["examples"]), "examples", len(document["runs"]), "runs")

samples = [SingleTurnSample.model_validate_json(line) for line in file("ragas").read_text().splitlines()]
print("ragas", version("ragas"), len(samples), "samples")

dataset = EvaluationDataset()
dataset.add_goldens_from_json_file(file_path=str(file("deepeval")))
rejected = [golden for golden in dataset.goldens if (golden.additional_metadata or {}).get("rejected")]
assert rejected and all(golden.expected_output is None for golden in rejected), "a rejected answer is an ideal"
print("deepeval", version("deepeval"), len(dataset.goldens), "goldens,", len(rejected), "of them without an ideal")
