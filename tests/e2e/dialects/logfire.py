"""logfire, instrumenting pydantic-ai and the OpenAI client below it: two spans for each call."""

import logfire

from . import pydantic_ai


def start():
    logfire.configure(
        send_to_logfire=False, service_name="support-api", service_version="1.8.2", environment="prod", console=False
    )
    logfire.instrument_pydantic_ai()
    logfire.instrument_openai()
    return pydantic_ai.agents()


def flush():
    logfire.shutdown()
