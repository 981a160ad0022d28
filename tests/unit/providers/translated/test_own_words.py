"""What is refused is named as the client named it, whatever it became on the way to the upstream."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.errors import GatewayError
from tests.golden_matrix.clients import CLIENT_ROWS
from tests.golden_matrix.plays import Stage
from tests.golden_matrix.wires import WIRES

AUDIO = "UklGRiQAAABXQVZF"
TURN = {"role": "user", "content": "Hi"}
SOUND = {"type": "input_audio", "input_audio": {"data": AUDIO, "format": "wav"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "sunny"}
CUT = {"name": "f", "arguments": '{"a":'}
CALLED = {"role": "assistant", "content": "Well", "tool_calls": [{"id": "c", "type": "function", "function": CUT}]}
GEMINI_SOUND = {"inlineData": {"mimeType": "audio/wav", "data": AUDIO}}


def refusal(client: str, wire: str, **body: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        Stage(CLIENT_ROWS[client], WIRES[wire]).ask({"model": "m", **body}, stream=False)
    return caught.value.param, caught.value.message


@pytest.mark.parametrize(
    ("client", "wire", "body", "place"),
    [
        ("openai_chat", "ollama",
         {"messages": [TURN, {"role": "user", "content": [{"type": "text", "text": "a"}, SOUND]}]},
         "messages[1].content[1]"),
        ("openai_chat", "anthropic_messages", {"messages": [TURN, CALLED]}, "messages[1].tool_calls[0]"),
        ("openai_responses", "ollama",
         {"instructions": "Be brief.", "input": [TURN, {"role": "user", "content": [
             {"type": "input_text", "text": "a"}, SOUND]}]}, "input[1].content[1]"),
        ("openai_responses", "anthropic_messages", {"input": [TURN, {"type": "function_call", "call_id": "c", **CUT}]},
         "input[1]"),
        ("anthropic_messages", "ollama",
         {"max_tokens": 9, "system": "Be brief.", "messages": [TURN, {"role": "user", "content": [
             RESULT, {"type": "text", "text": "a"}, PDF]}]}, "messages[1].content[2]"),
        ("gemini", "ollama",
         {"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"role": "user", "parts": [
             {"text": "a"}, GEMINI_SOUND]}]}, "contents[0].parts[1]"),
    ],
)  # fmt: skip
def test_content_is_named_by_its_place_in_the_clients_request(
    client: str, wire: str, body: dict[str, Any], place: str
) -> None:
    param, message = refusal(client, wire, **body)
    assert param == place
    assert message.startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("client", "wire", "body", "name"),
    [
        ("anthropic_messages", "openai_responses", {"max_tokens": 99, "messages": [TURN], "stop_sequences": ["x"]},
         "stop_sequences"),
        ("openai_responses", "anthropic_messages", {"input": "Hi", "text": {"verbosity": "low"}}, "text.verbosity"),
        ("gemini", "anthropic_messages",
         {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"seed": 7}}, "generationConfig.seed"),
        ("ollama_chat", "anthropic_messages", {"messages": [TURN], "options": {"seed": 7}}, "options.seed"),
        ("openai_chat", "anthropic_messages", {"messages": [TURN], "seed": 7}, "seed"),
    ],
)  # fmt: skip
def test_a_field_is_named_as_the_client_knows_it(client: str, wire: str, body: dict[str, Any], name: str) -> None:
    param, message = refusal(client, wire, **body)
    assert param == name
    assert f"does not support {name}" in message


def test_instructions_have_no_place_among_the_messages() -> None:
    body = {"messages": [{"role": "system", "content": [{"type": "text", "text": "s"}]}, TURN, CALLED]}
    assert refusal("openai_chat", "anthropic_messages", **body)[0] == "messages[2].tool_calls[0]"
