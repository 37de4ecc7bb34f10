"""Reads breakers as an application does: through OpenFeature's own OFREP provider.

One feature name a line on standard input; for each, one JSON line with what the provider returned for
breaker.FEATURE.allow, .route and .state. An application fails open, so the default of the first is true. A name after
a tab is the targeting key.
"""

import argparse
import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--token")
    arguments = parser.parse_args()
    headers = {"Authorization": f"Bearer {arguments.token}"} if arguments.token else {}
    api.set_provider(OFREPProvider(arguments.url, headers_factory=lambda: headers))
    client = api.get_client()
    for line in sys.stdin:
        feature, _, user = line.rstrip("\n").partition("\t")
        context = EvaluationContext(targeting_key=user or None)
        key = f"breaker.{feature}.allow"
        details = client.get_boolean_details(key, True, context)
        state = client.get_object_details(f"breaker.{feature}.state", {"state": "default"}, context)
        print(
            json.dumps(
                {
                    "key": key,
                    "allow": details.value,
                    "reason": str(details.reason),
                    "variant": details.variant,
                    "error": details.error_code and str(details.error_code),
                    "metadata": dict(details.flag_metadata),
                    "route": client.get_string_value(f"breaker.{feature}.route", "default", context),
                    "state": state.value["state"],
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
