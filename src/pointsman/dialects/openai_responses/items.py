"""Input items, to and from the messages of the common vocabulary.

Source: https://platform.openai.com/docs/api-reference/responses/create (input).

What a model gave in one turn stands here as several items: its reasoning, its words, its calls. In the common
vocabulary they are one message of the assistant, as most dialects want all calls of a turn before their results.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

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
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.custom_tools import unwrap_input, wrap_input
from pointsman.dialects.openai_responses.compaction import read_summary
from pointsman.dialects.openai_responses.given import read_given
from pointsman.dialects.openai_responses.groups import flat_name
from pointsman.dialects.openai_responses.media import read_audio, read_file, read_image, write_file, write_image
from pointsman.dialects.openai_responses.types import (
    CompactionItem,
    ContentPart,
    CustomCallItem,
    FunctionCallItem,
    InputAudioFields,
    InputAudioPart,
    InputFilePart,
    InputImagePart,
    InputTextPart,
    ItemHead,
    MessageItem,
    OutputTextPart,
    ReasoningItem,
    RefusalPart,
    ResultItem,
)
from pointsman.dialects.signatures import OPENAI, is_from, unseal
from pointsman.wire.json_fields import decode_field

__all__ = ["is_readable", "read_input", "read_reasoning", "write_input"]

_decode_fields: Final = msgspec.json.Decoder(dict[str, object]).decode
_decode_head: Final = msgspec.json.Decoder(ItemHead).decode
_decode_message: Final = msgspec.json.Decoder(MessageItem).decode
_decode_reasoning: Final = msgspec.json.Decoder(ReasoningItem).decode
_decode_function: Final = msgspec.json.Decoder(FunctionCallItem).decode
_decode_custom: Final = msgspec.json.Decoder(CustomCallItem).decode
_decode_result: Final = msgspec.json.Decoder(ResultItem).decode
_decode_compaction: Final = msgspec.json.Decoder(CompactionItem).decode

_HINTS: Final = {"item_reference": "Send the item itself, or continue with previous_response_id."}

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_input(items: str | Iterable[msgspec.Raw] | None, field: str = "input") -> tuple[Message, ...]:
    """The messages of ``input``, or of items in another ``field``.

    Raises:
        Malformed: an item cannot be read; ``param`` is its path, ``input[2].content[0].image_url``.
        Unsupported: an item is of a type that has no counterpart; the message names it.
    """
    if items is None:
        return ()
    if isinstance(items, str):
        return (Message("user", (Text(items),)),)
    messages: list[Message] = []
    for index, raw in enumerate(items):
        message = _read_item(raw, f"{field}[{index}]")
        if messages and _is_one_turn(messages[-1], message):
            messages[-1] = Message("assistant", messages[-1].parts + message.parts)
        elif message.parts or message.role != "assistant":
            messages.append(message)
    return tuple(messages)


def is_readable(raw: msgspec.Raw) -> bool:
    """Whether an item can be read here; one that only another server can is of no use to anybody else."""
    try:
        read_input((raw,))
    except (Malformed, Unsupported):
        return False
    return True


def _read_item(raw: msgspec.Raw, path: str) -> Message:
    kind = decode_field(path, raw, _decode_head).type
    match kind:
        case None | "message":
            message = decode_field(path, raw, _decode_message)
            return Message(message.role, _read_content(message.content, path))
        case "reasoning":
            return Message("assistant", read_reasoning(decode_field(path, raw, _decode_reasoning)))
        case "function_call":
            function = decode_field(path, raw, _decode_function)
            name = flat_name(function.namespace, function.name)
            return Message("assistant", (ToolCall(function.call_id, name, function.arguments),))
        case "custom_tool_call":
            custom = decode_field(path, raw, _decode_custom)
            name = flat_name(custom.namespace, custom.name)
            return Message("assistant", (ToolCall(custom.call_id, name, wrap_input(custom.input)),))
        case "function_call_output" | "custom_tool_call_output":
            return Message("tool", (_read_result(decode_field(path, raw, _decode_result), path),))
        case "additional_tools":  # they are among the request's tools, see read_additional_tools
            return Message("assistant", ())
        case "compaction" | "compaction_summary":
            return Message("user", (_read_compaction(decode_field(path, raw, _decode_compaction), path),))
        case _ if (given := read_given(raw)) is not None:
            return Message("assistant", (given,))
        case _:
            raise Unsupported(
                f"{path}: items of type '{kind[:40]}' are not supported.", hint=_HINTS.get(kind), param=f"{path}.type"
            )


def _read_compaction(item: CompactionItem, path: str) -> Text:
    summary = read_summary(item.encrypted_content)
    if summary is None:
        raise Unsupported(
            f"{path}: this compaction was made by another server and cannot be read here.",
            hint="Send the conversation itself, or compact it here with POST /v1/responses/compact.",
            param=path,
        )
    return summary


def read_reasoning(item: ReasoningItem) -> tuple[Thinking, ...]:
    """What a reasoning item holds: the reasoning itself where it is shown, its summary otherwise."""
    text = "".join(part.text for part in item.content or ())
    text = text or "\n\n".join(part.text for part in item.summary or ())
    signature = item.encrypted_content or None
    return (unseal(Thinking(text, signature, redacted=not text), OPENAI),) if text or signature else ()


def _is_one_turn(before: Message, message: Message) -> bool:
    """Whether two messages came from one turn of the model.

    Words that follow words are of the next turn, unless calls came in between, whose results are still to come.
    """
    if before.role != "assistant" or message.role != "assistant":
        return False
    kinds = {type(part) for part in before.parts}
    calls_only = all(isinstance(part, ToolCall) for part in message.parts)
    return calls_only or ToolCall in kinds or not kinds & {Text, Refusal}


def _read_content(content: str | list[ContentPart], path: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_read_part(part, f"{path}.content[{index}]") for index, part in enumerate(content))


def _read_part(part: ContentPart, path: str) -> Part:
    match part:
        case InputTextPart() | OutputTextPart():
            return Text(part.text)
        case InputImagePart():
            return read_image(part, path)
        case InputFilePart():
            return read_file(part, path)
        case InputAudioPart():
            return read_audio(part, path)
        case RefusalPart():
            return Refusal(part.refusal)
        case _:
            assert_never(part)


def _read_result(item: ResultItem, path: str) -> ToolResult:
    if isinstance(item.output, str):
        return ToolResult(item.call_id, (Text(item.output),))
    parts: list[Text | Image | File] = []
    for index, part in enumerate(item.output):
        match part:
            case InputTextPart() | OutputTextPart():
                parts.append(Text(part.text))
            case InputImagePart():
                parts.append(read_image(part, f"{path}.output[{index}]"))
            case InputFilePart():
                parts.append(read_file(part, f"{path}.output[{index}]"))
            case _:
                assert_never(part)
    return ToolResult(item.call_id, tuple(parts))


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_input(messages: Iterable[Message], customs: frozenset[str]) -> list[dict[str, object]]:
    """The items for an upstream; ``customs`` are the names of the custom tools.

    Reasoning without a signature of OpenAI's is left out, since no upstream could tell that it is its own. So is a
    speaker's name.

    Raises:
        Unsupported: a role cannot have a part that it has; the message names both.
    """
    items: list[dict[str, object]] = []
    custom_calls: set[str] = set()
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        content: list[Part] = []
        for part in message.parts:
            if isinstance(part, ServerToolUse):
                items += _write_message(message.role, content, path)
                content = []
                items += [{**_decode_fields(raw)} for raw in part.native]
            elif isinstance(part, Thinking | ToolCall | ToolResult):
                items += _write_message(message.role, content, path)
                content = []
                items += _write_turn(part, customs, custom_calls)
            else:
                content.append(part)
        items += _write_message(message.role, content, path)
    return items


def _write_turn(
    part: Thinking | ToolCall | ToolResult, customs: frozenset[str], custom_calls: set[str]
) -> list[dict[str, object]]:
    """The items for what is no part of a message here; notes the calls of custom tools in ``custom_calls``."""
    match part:
        case Thinking():
            if not is_from(part, OPENAI):
                return []
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            return [{"type": "reasoning", "summary": summary, "encrypted_content": part.signature}]
        case ToolCall():
            called: dict[str, object] = {"call_id": part.id, "name": part.name}
            if part.name in customs:
                custom_calls.add(part.id)
                return [{"type": "custom_tool_call", **called, "input": unwrap_input(part.arguments)}]
            return [{"type": "function_call", **called, "arguments": part.arguments}]
        case ToolResult():
            kind = "custom_tool_call_output" if part.call_id in custom_calls else "function_call_output"
            return [{"type": kind, "call_id": part.call_id, "output": _write_result(part)}]
        case _:
            assert_never(part)


def _write_result(result: ToolResult) -> str | list[InputTextPart | InputImagePart | InputFilePart]:
    if all(isinstance(part, Text) for part in result.parts) and len(result.parts) <= 1:
        return "".join(part.text for part in result.parts if isinstance(part, Text))
    written: list[InputTextPart | InputImagePart | InputFilePart] = []
    for part in result.parts:
        match part:
            case Text():
                written.append(InputTextPart(part.text))
            case Image():
                written.append(write_image(part))
            case File():
                written.append(InputTextPart(part.text) if part.text is not None else write_file(part))
            case _:
                assert_never(part)
    return written


def _write_message(role: str, parts: list[Part], path: str) -> list[dict[str, object]]:
    if not parts:
        return []
    write = _write_said if role == "assistant" else _write_part
    return [{"type": "message", "role": role, "content": [write(part, role, path) for part in parts]}]


def _write_said(part: Part, role: str, path: str) -> dict[str, object]:
    """A part of what the model said."""
    if isinstance(part, Text):
        return {"type": "output_text", "text": part.text, "annotations": []}
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    raise _misplaced(part, role, path)


def _write_part(part: Part, role: str, path: str) -> ContentPart:
    """A part of what the model was told."""
    match part:
        case Text():
            return InputTextPart(part.text)
        case Image() if role == "user":
            return write_image(part)
        case File() if role == "user":
            return InputTextPart(part.text) if part.text is not None else write_file(part, path)
        case Audio() if role == "user":
            return InputAudioPart(InputAudioFields(part.data, part.format))
        case _:
            raise _misplaced(part, role, path)


def _misplaced(part: Part, role: str, path: str) -> Unsupported:
    what = type(part).__name__.lower()
    return Unsupported(f"{path}: a message of the {role} cannot hold a part of kind {what}.", param=path)
