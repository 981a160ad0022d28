"""``/responses/compact``: a long conversation as its user messages and one item that stands for all the rest.

Source: https://platform.openai.com/docs/api-reference/responses/compact.

At OpenAI that item is encrypted. Here it is a summary that the model itself wrote, wrapped so that clients hand it on
unread; it goes with any model. One that another server made cannot be read here.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from pointsman.core.call import Call, Sampling
from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    ServerToolUse,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.errors import Broken
from pointsman.core.reply import Reply
from pointsman.dialects.openai_responses.listing import complete_items, input_items
from pointsman.dialects.openai_responses.response import ResponseRequest, write_usage
from pointsman.dialects.server_tools import in_words

__all__ = ["compacting_call", "read_summary", "write_compaction"]

_MARK: Final = "pm1."
_PREFACE: Final = "This is a summary of the conversation so far; go on from here.\n\n"
_TASK: Final = (
    "You compact conversations. You are given the transcript of one. Write a summary from which the assistant can go "
    "on as if it had the whole: what the user wants, what was done, found and decided, and what is still open. Keep "
    "names, paths, numbers, code and exact wordings that matter. Do not answer the conversation. Write the summary "
    "only."
)

_encode: Final = msgspec.json.Encoder().encode


class _Head(msgspec.Struct):
    type: str | None = None
    role: str | None = None


_decode_head: Final = msgspec.json.Decoder(_Head).decode


def compacting_call(call: Call) -> Call:
    """The call that has the conversation of ``call`` summed up."""
    transcript = "\n\n".join(_transcribed(message) for message in call.messages)
    return Call(
        model=call.model,
        messages=(Message("system", (Text(_TASK),)), Message("user", (Text(transcript),))),
        sampling=Sampling(max_tokens=call.sampling.max_tokens),
        include_usage=True,
        user=call.user,
    )


def write_compaction(reply: Reply, request: ResponseRequest) -> bytes:
    """The answer for a client.

    Raises:
        Broken: the model wrote nothing.
    """
    summary = reply.choices[0].text.strip() if reply.choices else ""
    if not summary:
        raise Broken("The model wrote no summary.")
    suffix = request.id.removeprefix("resp_")
    given = (*complete_items(request.history, f"{suffix}h"), *input_items(request))
    kept: list[object] = [raw for raw in given if _is_users(raw)]
    content = _MARK + b2a_base64(summary.encode(), newline=False).decode()
    return _encode({
        "id": request.id,
        "object": "response.compaction",
        "created_at": request.created_at,
        "output": [*kept, {"id": f"cmp_{suffix}", "type": "compaction", "encrypted_content": content}],
        "usage": write_usage(reply.usage),
    })  # fmt: skip


def read_summary(encrypted_content: str) -> Text | None:
    """What a compaction item stands for; None: another server made it."""
    if not encrypted_content.startswith(_MARK):
        return None
    try:
        return Text(_PREFACE + a2b_base64(encrypted_content.removeprefix(_MARK), strict_mode=True).decode())
    except ValueError:
        return None


def _is_users(raw: msgspec.Raw) -> bool:
    head = _decode_head(raw)
    return head.type == "message" and head.role == "user"


def _transcribed(message: Message) -> str:
    return "\n".join([f"[{message.role}]", *_told(message.parts)])


def _told(parts: Iterable[Part]) -> Iterable[str]:
    for part in parts:
        match part:
            case Text() | Refusal():
                yield part.text
            case Thinking():
                pass
            case ToolCall():
                yield f"(calls {part.name}: {part.arguments})"
            case ToolResult():
                yield from _told(part.parts)
            case File():
                yield part.text if part.text is not None else f"(a file: {part.filename or 'without a name'})"
            case Image():
                yield "(an image)"
            case Audio():
                yield "(a sound)"
            case ServerToolUse():
                yield in_words(part)
            case _:
                assert_never(part)
