"""A conversation in short: the user's words as they were, and one item that stands for the rest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import CompactedResponse

from pointsman.core.content import Text
from pointsman.core.errors import Broken, Unsupported
from pointsman.core.reply import Choice, Reply
from pointsman.core.usage import Usage
from pointsman.dialects.openai_responses.compaction import compacting_call, read_summary, write_compaction
from pointsman.dialects.openai_responses.items import read_input
from pointsman.dialects.openai_responses.requests import read_request
from pointsman.dialects.openai_responses.response import read_response_request

TALK: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "input_text", "text": "Weather?"},
                                 {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}]},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "secret thoughts"}]},
    {"type": "function_call", "call_id": "a", "name": "look", "arguments": '{"city":"Paris"}'},
    {"type": "function_call_output", "call_id": "a", "output": "rain"},
    {"role": "assistant", "content": "It rains."},
    {"role": "user", "content": "Thanks"},
]  # fmt: skip
BODY = json.dumps({"model": "m", "input": TALK, "instructions": "be brief", "max_output_tokens": 99}).encode()


def reply(text: str) -> Reply:
    return Reply("a", "m", 1, (Choice(text=text, finish_reason="stop"),), Usage(3, 4, source="measured"))


def test_the_model_reads_the_whole_talk_but_its_thoughts() -> None:
    call = compacting_call(read_request(BODY))
    task, transcript = call.messages
    assert task.role == "system" and call.sampling.max_tokens == 99 and not call.stream and not call.tools
    (told,) = transcript.parts
    assert isinstance(told, Text)
    assert told.text == (
        "[system]\nbe brief\n\n[user]\nWeather?\n(an image)\n\n"
        '[assistant]\n(calls look: {"city":"Paris"})\n\n[tool]\nrain\n\n[assistant]\nIt rains.\n\n[user]\nThanks'
    )


def test_the_users_messages_stay_and_the_rest_is_one_item_that_comes_back() -> None:
    request = read_response_request(BODY)
    before = tuple(msgspec.Raw(json.dumps(item).encode()) for item in ({"role": "user", "content": "Hi"}, TALK[4]))
    request = msgspec.structs.replace(request, history=before)
    written = write_compaction(reply(" It rained. "), request)
    found = json.loads(written)
    assert (found["object"], found["usage"]["total_tokens"]) == ("response.compaction", 7)
    assert found.keys() == CompactedResponse.model_fields.keys() - {"image"}
    output = found["output"]
    assert [item["type"] for item in output] == ["message", "message", "message", "compaction"]
    assert len({item["id"] for item in output}) == 4
    messages = read_input([msgspec.Raw(json.dumps(item).encode()) for item in output])
    assert [message.role for message in messages] == ["user"] * 4
    (summary,) = messages[-1].parts
    assert isinstance(summary, Text) and summary.text.endswith("\n\nIt rained.")


def test_a_model_that_writes_nothing_has_failed() -> None:
    with pytest.raises(Broken):
        write_compaction(reply(" "), read_response_request(BODY))


@given(st.text())
def test_what_another_server_made_is_refused_and_never_a_crash(content: str) -> None:
    for made in (content, "pm1." + content):
        summary = read_summary(made)
        assert summary is None or isinstance(summary, Text)
    item = msgspec.Raw(json.dumps({"type": "compaction", "encrypted_content": "x" + content}).encode())
    with pytest.raises(Unsupported, match="another server"):
        read_input([item])
