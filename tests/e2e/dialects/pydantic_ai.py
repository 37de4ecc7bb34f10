"""pydantic-ai's own instrumentation, exported by the OpenTelemetry SDK."""

from . import otel, support
from .otel import flush

__all__ = ["flush", "start"]


def start():
    otel.tracing()
    from pydantic_ai import Agent

    Agent.instrument_all()
    return agents()


def agents():
    """The scenarios as agents, under whatever instrumentation there is."""
    from pydantic_ai import Agent, ModelRetry, ModelSettings
    from pydantic_ai.models.openai import OpenAIChatModel

    settings = ModelSettings(temperature=0.2, max_tokens=100)
    model = OpenAIChatModel("gpt-4o-mini")
    ask = Agent(model, name="ask", instructions=support.SYSTEM, model_settings=settings)
    agent = Agent(model, name="support_agent", instructions=support.SYSTEM, retries=2)

    @agent.tool_plain
    def get_order(order_id: str) -> dict:
        """Look up an order by id."""
        return support.get_order(order_id)

    @agent.tool_plain
    def search_kb(query: str) -> list:
        """Search the knowledge base."""
        return support.search_kb(query)

    @agent.tool_plain
    def convert_currency(amount: str, currency: str) -> str:
        """Convert an amount."""
        raise ModelRetry("rate service unavailable, try again")

    return {
        "chat": lambda: ask.run_sync(support.CAPITAL, conversation_id="conv-77"),
        "tools": lambda: agent.run_sync(support.ORDER),
    }
