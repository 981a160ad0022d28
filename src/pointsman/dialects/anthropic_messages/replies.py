"""Whole answers: written for a client, read from an upstream.

Source: https://platform.claude.com/docs/en/api/messages/create.
"""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import short_id
from pointsman.core.content import Audio, Citation, Image, Refusal, ServerToolUse, Text, Thinking, ToolCall
from pointsman.core.errors import Broken
from pointsman.core.events import Finished
from pointsman.core.reply import Choice, Reply
from pointsman.dialects.anthropic_messages.citations import cited_pieces, write_citation
from pointsman.dialects.anthropic_messages.envelope import fit_message_id, write_stop_reason, write_usage
from pointsman.dialects.anthropic_messages.server_tools import API, server_blocks
from pointsman.dialects.anthropic_messages.streams import StreamReader
from pointsman.dialects.folding import fold
from pointsman.dialects.server_tools import media_in_words
from pointsman.dialects.signatures import ANTHROPIC, seal

__all__ = ["read_reply", "write_reply"]

_encode: Final = msgspec.json.Encoder().encode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NOTHING: Final = msgspec.Raw(b"{}")
_TOOL_USE: Final = "tool_use"


def write_reply(reply: Reply, call: Call) -> bytes:
    """The body for a client; it sees the model under the name that it asked for, and the first choice.

    Raises:
        Broken: the arguments of a tool call are not a JSON object, so that they cannot be written. Where the answer was
            cut off, a call that is not complete is left out instead.
    """
    choice = reply.choices[0] if reply.choices else Choice()
    content = _write_content(choice)
    finished = Finished(choice.finish_reason or "stop", native=choice.native_reason, stop_sequence=choice.stop_sequence)
    with_tools = any(block["type"] == _TOOL_USE for block in content)
    reason, sequence = write_stop_reason(finished, with_tools=with_tools, declined=choice.refusal is not None)
    return _encode({
        "id": fit_message_id(reply.id) if reply.id else short_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": write_usage(reply.usage),
    })  # fmt: skip


def _write_content(choice: Choice) -> list[dict[str, object]]:
    """The blocks, in the order in which the model gave them."""
    blocks: list[dict[str, object]] = []
    start = 0
    for part in choice.parts:
        match part:
            case Thinking():
                blocks.append(_write_thinking(part))
            case Text() if choice.citations:
                blocks += [_write_cited(*piece) for piece in cited_pieces(part.text, start, choice.citations)]
                start += len(part.text)
            case Text() | Refusal():
                _say(part.text, blocks)
            case ToolCall():
                blocks += _write_tool(part, choice)
            case ServerToolUse():
                blocks += [dict(_decode_object(block.whole)) for block in server_blocks(part)]
            case Image() | Audio():
                _say(media_in_words(part, API), blocks)
            case _:
                assert_never(part)
    return _with_the_rest(blocks, choice.citations)


def _say(text: str, blocks: list[dict[str, object]]) -> None:
    """More words, in the block of those before them if that is the last one."""
    if blocks and blocks[-1]["type"] == "text":
        blocks[-1] = {**blocks[-1], "text": f"{blocks[-1]['text']}{text}"}
    elif text:
        blocks.append({"type": "text", "text": text})


def _write_cited(text: str, citations: list[Citation]) -> dict[str, object]:
    block: dict[str, object] = {"type": "text", "text": text}
    return {**block, "citations": [write_citation(one) for one in citations]} if citations else block


def _with_the_rest(blocks: list[dict[str, object]], citations: tuple[Citation, ...]) -> list[dict[str, object]]:
    """Sources of which nobody says what rests on them are told of the last text."""
    if not citations:
        return blocks
    rest = [write_citation(one) for one in citations if one.start is None or one.end is None or one.start >= one.end]
    texts = [position for position, block in enumerate(blocks) if block["type"] == "text"]
    if rest and texts:
        block = blocks[texts[-1]]
        told = block.get("citations", [])
        blocks[texts[-1]] = {**block, "citations": [*(told if isinstance(told, list) else []), *rest]}
    return blocks


def _write_thinking(part: Thinking) -> dict[str, object]:
    signature = seal(part.signature or "", part.signer, ANTHROPIC, redacted=part.redacted)
    if part.redacted:
        return {"type": "redacted_thinking", "data": signature}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _write_tool(call: ToolCall, choice: Choice) -> list[dict[str, object]]:
    arguments = _read_arguments(call)
    if arguments is not None:
        return [{"type": _TOOL_USE, "id": call.id, "name": call.name, "input": arguments}]
    if choice.finish_reason in {"length", "content_filter"}:
        return []
    raise Broken(f"The model's arguments for the tool '{call.name[:80]}' are not a JSON object.")


def _read_arguments(call: ToolCall) -> msgspec.Raw | None:
    if not call.arguments.strip():
        return _NOTHING
    try:
        _decode_object(call.arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return msgspec.Raw(call.arguments.encode())


def read_reply(body: bytes, reader: StreamReader | None = None) -> Reply:
    """An upstream's whole answer, read as a stream of one event by ``reader``, which has read nothing before.

    Raises:
        UpstreamFailed: the body cannot be read, is an error, or is no message.
    """
    reader = reader or StreamReader()
    return fold([*reader.feed(body), *reader.end()])
