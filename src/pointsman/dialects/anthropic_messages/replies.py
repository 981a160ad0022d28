"""Whole answers: written for a client, read from an upstream.

Source: https://platform.claude.com/docs/en/api/messages/create.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import short_id
from pointsman.core.content import ToolCall
from pointsman.core.errors import Broken
from pointsman.core.events import Finished
from pointsman.core.reply import Choice, Reply, fold
from pointsman.dialects.anthropic_messages.envelope import fit_message_id, write_stop_reason, write_usage
from pointsman.dialects.anthropic_messages.streams import StreamReader

__all__ = ["read_reply", "write_reply", "write_token_count"]

_encode: Final = msgspec.json.Encoder().encode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NOTHING: Final = msgspec.Raw(b"{}")


def write_reply(reply: Reply, call: Call) -> bytes:
    """The body for a client; it sees the model under the name that it asked for, and the first choice.

    Raises:
        Broken: the arguments of a tool call are not a JSON object, so that they cannot be written. Where the answer was
            cut off, a call that is not complete is left out instead.
    """
    choice = reply.choices[0] if reply.choices else Choice()
    tools = _write_tools(choice)
    finished = Finished(choice.finish_reason or "stop", native=choice.native_reason, stop_sequence=choice.stop_sequence)
    reason, sequence = write_stop_reason(finished, with_tools=bool(tools), declined=choice.refusal is not None)
    return _encode({
        "id": fit_message_id(reply.id) if reply.id else short_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [*_write_thinking(choice), *_write_text(choice), *tools],
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": write_usage(reply.usage),
    })  # fmt: skip


def _write_thinking(choice: Choice) -> list[dict[str, object]]:
    blocks: list[dict[str, object]] = []
    signature = choice.signature or ""
    if choice.thinking or (signature and not choice.redacted):
        own = "" if choice.redacted else signature
        blocks.append({"type": "thinking", "thinking": choice.thinking, "signature": own})
    if choice.redacted:
        blocks.append({"type": "redacted_thinking", "data": signature})
    return blocks


def _write_text(choice: Choice) -> list[dict[str, object]]:
    text = choice.text + (choice.refusal or "")
    return [{"type": "text", "text": text}] if text else []


def _write_tools(choice: Choice) -> list[dict[str, object]]:
    blocks: list[dict[str, object]] = []
    for call in choice.tool_calls:
        arguments = _read_arguments(call)
        if arguments is not None:
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        elif choice.finish_reason not in {"length", "content_filter"}:
            raise Broken(f"The model's arguments for the tool '{call.name[:80]}' are not a JSON object.")
    return blocks


def _read_arguments(call: ToolCall) -> msgspec.Raw | None:
    if not call.arguments.strip():
        return _NOTHING
    try:
        _decode_object(call.arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return msgspec.Raw(call.arguments.encode())


def read_reply(body: bytes, created: int = 0) -> Reply:
    """An upstream's whole answer, read as a stream of one event; ``created`` as in the reader of streams.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or is no message.
    """
    reader = StreamReader(created=created)
    return fold([*reader.feed(body), *reader.end()])


def write_token_count(tokens: int) -> bytes:
    """The answer to a request that asks how long its prompt is.

    Source: https://platform.claude.com/docs/en/api/messages/count_tokens.
    """
    return _encode({"input_tokens": tokens})
