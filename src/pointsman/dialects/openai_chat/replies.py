"""Whole chat answers: written for a client, read from an upstream."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Audio, Image, Text, ToolCall
from pointsman.core.reply import Choice, Reply
from pointsman.dialects.custom_tools import custom_names, unwrap_input
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_chat.citations import write_annotation
from pointsman.dialects.openai_chat.given import write_given_image
from pointsman.dialects.openai_chat.sounds import SoundWriter
from pointsman.dialects.openai_chat.streams import StreamReader
from pointsman.dialects.openai_chat.thinking import write_thinking_block
from pointsman.dialects.openai_chat.tools import DIALECT
from pointsman.dialects.openai_usage import write_usage
from pointsman.dialects.server_tools import choice_in_words

__all__ = ["read_reply", "write_reply"]

_encode: Final = msgspec.json.Encoder().encode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def write_reply(reply: Reply, call: Call) -> bytes:
    """The body for a client; it sees the model under the name that it asked for."""
    customs = custom_names(call.tools, DIALECT)
    return _encode({
        "id": reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": call.model,
        "choices": [_write_choice(choice, customs) for choice in reply.choices],
        "usage": write_usage(reply.usage),
    })  # fmt: skip


def _write_choice(choice: Choice, customs: Container[str]) -> dict[str, object]:
    tokens = [token for raw in choice.logprobs for token in _decode_items(raw)] if choice.logprobs else None
    choice = choice_in_words(choice)
    return {
        "index": choice.index,
        "message": _write_message(choice, customs),
        "logprobs": None if tokens is None else {"content": tokens, "refusal": None},
        "finish_reason": choice.finish_reason or "stop",
    }


def _write_message(choice: Choice, customs: Container[str]) -> dict[str, object]:
    parts = choice.parts
    if len(parts) == 1 and isinstance(parts[0], Text) and not choice.citations:
        return {"role": "assistant", "content": parts[0].text, "refusal": None}
    sounds = [part for part in choice.parts if isinstance(part, Audio)]
    declined = choice.tool_calls or choice.refusal is not None or sounds
    message: dict[str, object] = {
        "role": "assistant",
        "content": choice.text if choice.text or not declined else None,
        "refusal": choice.refusal,
    }
    if choice.thinking:
        message["reasoning_content"] = choice.thinking
    signed = [write_thinking_block(part) for part in choice.thoughts if part.signature]
    if signed:
        message["thinking_blocks"] = signed
    annotations = [told for one in choice.citations if (told := write_annotation(one)) is not None]
    if annotations:
        message["annotations"] = annotations
    images = [part for part in choice.parts if isinstance(part, Image)]
    if images:
        message["images"] = [write_given_image(image, index) for index, image in enumerate(images)]
    if sounds:
        message["audio"] = SoundWriter().whole(sounds[0])
    if choice.tool_calls:
        message["tool_calls"] = [_write_tool_call(tool, customs) for tool in choice.tool_calls]
    return message


def _write_tool_call(tool: ToolCall, customs: Container[str]) -> dict[str, object]:
    if tool.name in customs:
        return {"id": tool.id, "type": "custom", "custom": {"name": tool.name, "input": unwrap_input(tool.arguments)}}
    return {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}


def read_reply(body: bytes, reader: StreamReader | None = None) -> Reply:
    """An upstream's whole answer, read as a stream of one chunk by ``reader``, which has read nothing before.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or has no choices.
    """
    return fold((reader or StreamReader()).read_whole(body))
