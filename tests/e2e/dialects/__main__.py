"""Runs the two scenarios of the recorded captures, `chat` and `tools`, under the real SDK of one dialect, and ends when
everything is exported. A dialect is a module here with two functions: start(), which sets its SDK up from the environment and
returns the scenarios by name, and flush(). The SDKs are asked for nothing that their users would not write.
"""

import argparse
import importlib
import os
import sys
from contextlib import redirect_stdout

from . import provider


def main():
    parser = argparse.ArgumentParser(prog="dialects", description=__doc__.splitlines()[0])
    parser.add_argument("dialect", help="a module beside this one")
    parser.add_argument("--otlp", required=True, help="base URL of an OTLP/HTTP receiver")
    parser.add_argument("--scenario", action="append", required=True)
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("OTEL_", "OPENAI_", "ANTHROPIC_"))]:
        del os.environ[name]
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = arguments.otlp
    os.environ["OTEL_SERVICE_NAME"] = "support-api"
    url = provider.serve()
    os.environ.update(OPENAI_API_KEY="unused", OPENAI_BASE_URL=f"{url}/v1", ANTHROPIC_API_KEY="unused")
    os.environ["ANTHROPIC_BASE_URL"] = url
    with redirect_stdout(sys.stderr):  # some SDKs greet
        dialect = importlib.import_module(f"{__package__}.{arguments.dialect}")
        scenarios = dialect.start()
        for name in arguments.scenario:
            scenarios[name]()
        dialect.flush()
    print("{}", flush=True)


if __name__ == "__main__":
    main()
