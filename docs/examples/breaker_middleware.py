"""A circuit breaker around an LLM feature, read from Freezeframe with OpenFeature.

    pip install openfeature-sdk openfeature-provider-ofrep

The breaker is asked before each request. When it says no, the plan's action says what to do instead; an action the
application does not know ends in the fallback reply. When the sidecar does not answer, OpenFeature returns the default
given here, True: the application goes on as if there were no breaker.
"""

import argparse
import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

FALLBACK_REPLY = "I can't answer that right now. Please try again in a few minutes, or ask for a person."


def with_breaker(feature, usual, instead=None):
    """Wraps `usual(question)`. `instead` maps actions to `f(question, parameters)`, which answers in another way.

    `parameters` has what the plan names: tool, model, index, reply, route.
    """
    client = api.get_client()
    instead = {"safe_reply": lambda _, parameters: parameters.get("reply", FALLBACK_REPLY), **(instead or {})}

    def answer(question, user=None):
        context = EvaluationContext(targeting_key=user)
        decision = client.get_boolean_details(f"breaker.{feature}.allow", True, context)
        if decision.value:
            return usual(question)
        parameters = dict(decision.flag_metadata)
        other_way = instead.get(parameters.get("action"))
        try:
            return other_way(question, parameters) if other_way else FALLBACK_REPLY
        except Exception:  # noqa: BLE001 - the other way is down as well
            return FALLBACK_REPLY

    return answer


def main():
    """One feature a line in, one answer a line out: what the test of this example runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8889")
    arguments = parser.parse_args()
    api.set_provider(OFREPProvider(arguments.url))

    def call_model(question, model="gpt-5"):
        return f"{model} answers: {question}"

    instead = {"pin_model": lambda question, parameters: call_model(question, parameters["model"])}
    for line in sys.stdin:
        answer = with_breaker(line.strip(), call_model, instead)
        print(json.dumps({"answer": answer("where is my order?", user="user-1")}), flush=True)


if __name__ == "__main__":
    main()
