"""The support bot of the recorded captures: its words, its tools and its two scenarios over a plain OpenAI client."""

import json

SYSTEM = "You are a support assistant for Acme Shop. Answer from the context only. [prompt v7]"
CAPITAL = "What is the capital of France?"
ORDER = "Where is my order A-1001 and can I still return it?"
USER, SESSION = "user-42", "sess-9"
ABOUT = {"feature": "order-help", "experiment": "B"}
TAGS = ["prod", "beta"]
DOCUMENTS = [
    {
        "id": "doc-1",
        "score": 0.91,
        "content": "Damaged goods can be returned within 30 days.",
        "metadata": {"source": "kb/returns.md", "updated_at": "2026-09-30T10:00:00Z"},
    },
    {
        "id": "doc-2",
        "score": 0.74,
        "content": "Refunds are paid to the original payment method.",
        "metadata": {"source": "kb/refunds.md", "updated_at": "2026-06-01T00:00:00Z"},
    },
]


def get_order(order_id):
    return {"order_id": order_id, "status": "delivered", "delivered_at": "2026-10-01"}


def search_kb(query):
    return DOCUMENTS


def convert_currency(amount, currency):
    raise ValueError("rate service unavailable")


TOOLS = {tool.__name__: tool for tool in (get_order, search_kb, convert_currency)}
ORDER_PARAMETERS = {
    "type": "object",
    "properties": {"order_id": {"type": "string", "description": "Order id"}},
    "required": ["order_id"],
    "additionalProperties": False,
}
SEARCH_PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
CONVERT_PARAMETERS = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string", "enum": ["EUR", "USD"]}},
    "required": ["amount", "currency"],
}
CONTRACTS = [
    {"name": "get_order", "description": "Look up an order by id.", "parameters": ORDER_PARAMETERS, "strict": True},
    {"name": "search_kb", "description": "Search the knowledge base.", "parameters": SEARCH_PARAMETERS},
    {"name": "convert_currency", "description": "Convert an amount.", "parameters": CONVERT_PARAMETERS},
]


def messages(question):
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]


def chat(client, question=CAPITAL):
    """One call."""
    settings = {"temperature": 0.2, "max_tokens": 100, "top_p": 0.9, "seed": 7, "user": USER}
    response = client.chat.completions.create(model="gpt-4o-mini", messages=messages(question), **settings)
    return response.choices[0].message.content


def agent(client, tools=TOOLS):
    """Three calls: two tools at once, one that fails and is told to the model, the answer."""
    offered = [{"type": "function", "function": contract} for contract in CONTRACTS]
    said = messages(ORDER)
    while True:
        response = client.chat.completions.create(
            model="gpt-4o-mini", messages=said, tools=offered, tool_choice="auto", parallel_tool_calls=True
        )
        answer = response.choices[0].message
        if not answer.tool_calls:
            return answer.content
        said = said + [answer.model_dump(exclude_none=True)]
        for call in answer.tool_calls:
            result = run(tools[call.function.name], json.loads(call.function.arguments))
            said.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})


def run(tool, arguments):
    try:
        return tool(**arguments)
    except ValueError as error:
        return {"error": str(error)}
