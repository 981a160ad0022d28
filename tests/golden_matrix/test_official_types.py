"""What the matrix asks, and what it is asked, is what the official SDKs have types for.

A field that a type does not have, or a value that it does not allow, fails: in the requests of the cases, which would
else prove nothing; in what is sent to an upstream that has an SDK; and in what a client is answered.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import ollama
import pytest
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from google.genai import types as gemini
from ollama._types import ChatRequest
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tests.golden_matrix.clients import CLIENT_ROWS, Body
from tests.golden_matrix.plays import CASES, EXPECTED, body_of, gap
from tests.golden_matrix.wires import WIRES


class GeminiRequest(BaseModel):
    """The body of ``generateContent``; the SDK has types for its fields only."""

    model_config = ConfigDict(extra="forbid")

    contents: list[gemini.Content]
    tools: list[gemini.Tool] = []
    toolConfig: gemini.ToolConfig | None = None  # noqa: N815 (the name in the body)
    systemInstruction: gemini.Content | None = None  # noqa: N815 (the name in the body)
    generationConfig: gemini.GenerationConfig | None = None  # noqa: N815 (the name in the body)


def read_out(value: Any) -> Any:
    """A value with the iterables in it, which are not looked into before, as lists."""
    if isinstance(value, dict):
        return {name: read_out(one) for name, one in value.items()}
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [read_out(one) for one in value]
    return value


def as_typed_dict(kind: Any) -> Callable[[Body], None]:
    """Typed dicts leave out what they do not know."""
    adapter = TypeAdapter(kind)

    def demand(body: Body) -> None:
        assert read_out(adapter.validate_python(body)) == body

    return demand


def as_gemini(body: Body) -> None:
    GeminiRequest.model_validate(body)


def as_ollama(body: Body) -> None:
    """Its types take any field, so those that they have are compared. ``truncate`` is newer than the SDK."""
    known = {name: value for name, value in body.items() if name != "truncate"}
    request = ChatRequest.model_validate(known)
    assert known.keys() <= request.model_dump(exclude_none=True).keys() | {"stream", "think"}
    assert known.get("options", {}).keys() <= ollama.Options.model_fields.keys()


OLDER_KNOBS = ("temperature", "top_p", "top_k")
"""The newest models of Claude do not take them, so the newest SDK has no types for what the others take."""


as_newest_messages = as_typed_dict(MessageCreateParamsNonStreaming)


def as_messages(body: Body) -> None:
    as_newest_messages({name: value for name, value in body.items() if name not in OLDER_KNOBS})


as_openais_chat = as_typed_dict(CompletionCreateParamsNonStreaming)


def as_chat(body: Body) -> None:
    """Images among ``modalities`` are OpenRouter's and LiteLLM's."""
    kinds = [kind for kind in body.get("modalities", ()) if kind != "image"]
    as_openais_chat({**body, "modalities": kinds} if "modalities" in body else body)


ASKED: dict[str, Callable[[Body], None]] = {
    "openai_chat": as_chat,
    "openai_responses": as_typed_dict(ResponseCreateParamsNonStreaming),
    "anthropic_messages": as_messages,
    "gemini": as_gemini,
    "ollama_chat": as_ollama,
}
ANSWERED: dict[str, type[BaseModel]] = {
    "openai_chat": ChatCompletion,
    "openai_responses": Response,
    "anthropic_messages": Message,
    "gemini": gemini.GenerateContentResponse,
    "ollama_chat": ollama.ChatResponse,
}


@pytest.mark.parametrize(("client", "case"), itertools.product(CLIENT_ROWS, CASES))
def test_the_requests_of_the_cases_are_what_the_clients_could_send(client: str, case: str) -> None:
    body = body_of(client, case)
    if body is None:
        assert gap("ask", client=client, case=case) is not None
    else:
        ASKED[client](body)


def sections(client: str, wire: str, case: str) -> dict[str, str]:
    """The parts of a transcript by their titles."""
    text = (EXPECTED / client / wire / f"{case}.txt").read_text(encoding="utf-8")
    parts = re.split(r"^# ", text, flags=re.MULTILINE)[1:]
    return {title: text.strip() for title, _, text in (part.partition("\n") for part in parts)}


def as_chat_of_others(body: Body) -> None:
    """Servers of this dialect want their reasoning and the names of tools, for which OpenAI itself has no types."""
    for message in body["messages"]:
        message.pop("reasoning_content", None)
        if message["role"] == "tool":
            message.pop("name", None)
    ASKED["openai_chat"](body)


def as_claude_on_vertex(body: Body) -> None:
    """The path says which model; see the source of :class:`VertexClaudeFar`."""
    assert body.pop("anthropic_version") == "vertex-2023-10-16" and "model" not in body
    ASKED["anthropic_messages"]({**body, "model": "claude"})


SENT: dict[str, Callable[[Body], None]] = {
    "openai_chat": as_chat_of_others,
    "azure": ASKED["openai_chat"],
    "anthropic_messages": ASKED["anthropic_messages"],
    "vertex_claude": as_claude_on_vertex,
    "gemini": as_gemini,
    "vertex_gemini": as_gemini,
    "ollama": as_ollama,
}
PLAYED = [
    (client, wire, case)
    for client, wire, case in itertools.product(CLIENT_ROWS, WIRES, CASES)
    if (EXPECTED / client / wire / f"{case}.txt").exists()
]
SENT_ROWS = [row for row in PLAYED if row[1] in SENT]


@pytest.mark.parametrize("row", SENT_ROWS, ids="-".join)
def test_what_an_upstream_is_sent_is_what_its_own_sdk_could_send(row: tuple[str, str, str]) -> None:
    found = sections(*row)
    for title in ("upstream's request", "upstream's next request"):
        if title in found:
            SENT[row[1]](json.loads(found[title].partition("\n")[2]))


@pytest.mark.parametrize("row", PLAYED, ids="-".join)
def test_what_a_client_is_answered_is_what_its_sdk_has_types_for(row: tuple[str, str, str]) -> None:
    answer = sections(*row).get("client's answer")
    if answer is None:
        return
    if (row[0], row[-1]) == ("ollama_chat", "image_answer"):
        # Ollama's own server writes images as text (api.Message), which its library for Python takes in requests only.
        with pytest.raises(ValidationError, match=r"message\.images\.0"):
            ANSWERED[row[0]].model_validate_json(answer)
        return
    ANSWERED[row[0]].model_validate_json(answer)
