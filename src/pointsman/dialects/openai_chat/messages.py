"""The messages of a chat request, to and from the common vocabulary."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import assert_never

import msgspec

from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.custom_tools import unwrap_input, wrap_input
from pointsman.dialects.openai_chat.media import (
    read_audio,
    read_file,
    read_image,
    read_video,
    write_audio,
    write_file,
    write_image,
)
from pointsman.dialects.openai_chat.sounds import read_sound, sound_id
from pointsman.dialects.openai_chat.thinking import read_thinking_blocks, write_thinking_block
from pointsman.dialects.openai_chat.tools import said
from pointsman.dialects.openai_chat.types import (
    AssistantMessage,
    AudioFields,
    AudioPart,
    CustomCall,
    DeveloperMessage,
    FilePart,
    FunctionCall,
    FunctionMessage,
    ImagePart,
    RawField,
    RefusalPart,
    SystemMessage,
    TextPart,
    ThinkingBlock,
    ToolCallFields,
    ToolMessage,
    UserMessage,
    UserPart,
    VideoPart,
    WireMessage,
)

__all__ = ["read_messages", "write_messages"]

_WirePart = UserPart | RefusalPart

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_messages(messages: Iterable[WireMessage]) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        Malformed: a part cannot be read; ``param`` is its path.
        Unsupported: a call of a tool of a type that nobody knows.
    """
    return tuple(_read_message(message, index) for index, message in enumerate(messages))


def _read_message(message: WireMessage, index: int) -> Message:
    if isinstance(message, UserMessage) and isinstance(message.content, str) and message.cache_control is msgspec.UNSET:
        return Message("user", (Text(message.content),), message.name)
    path = f"messages[{index}]"
    match message:
        case SystemMessage():
            return Message("system", _read_marked(message, path), message.name)
        case DeveloperMessage():
            return Message("developer", _read_marked(message, path), message.name)
        case UserMessage():
            return Message("user", _read_marked(message, path), message.name)
        case AssistantMessage():
            return Message("assistant", _marked(_read_assistant(message, path), message.cache_control), message.name)
        case ToolMessage():
            parts = tuple(
                part for part in _read_content(message.content or None, path) if isinstance(part, Text | Image)
            )
            mark = said(message.cache_control)
            return Message("tool", (ToolResult(message.tool_call_id, parts, message.name, cache_control=mark),))
        case FunctionMessage():
            parts = () if message.content is None else (Text(message.content),)
            return Message("tool", (ToolResult(_function_call_id(message.name), parts, message.name),))
        case _:
            assert_never(message)


def _read_marked(message: SystemMessage | DeveloperMessage | UserMessage, path: str) -> tuple[Part, ...]:
    return _marked(_read_content(message.content, path), message.cache_control)


def _marked(parts: tuple[Part, ...], mark: RawField) -> tuple[Part, ...]:
    """The parts, the last of which ends what is to be cached where the message says so."""
    found = said(mark)
    if found is None or not parts or not isinstance(parts[-1], Text | Image | File | ToolCall):
        return parts
    return (*parts[:-1], msgspec.structs.replace(parts[-1], cache_control=found))


def _read_assistant(message: AssistantMessage, path: str) -> tuple[Part, ...]:
    content = message.content or None
    parts: list[Part] = [*_read_thinking(message), *_read_content(content, path)]
    parts += [read_image(image, f"{path}.images[{index}]") for index, image in enumerate(message.images or ())]
    if message.audio is not None:
        parts.append(read_sound(message.audio))
    if message.refusal:
        parts.append(Refusal(message.refusal))
    if message.function_call is not None:
        call = message.function_call
        parts.append(ToolCall(_function_call_id(call.name), call.name, call.arguments))
    parts += [_read_call(call, f"{path}.tool_calls[{index}]") for index, call in enumerate(message.tool_calls or ())]
    return tuple(parts)


def _read_call(call: ToolCallFields, path: str) -> ToolCall:
    mark = said(call.cache_control)
    if call.function is not None:
        return ToolCall(call.id, call.function.name, call.function.arguments, cache_control=mark)
    if call.custom is not None:
        return ToolCall(call.id, call.custom.name, wrap_input(call.custom.input), cache_control=mark)
    kind = call.type if isinstance(call.type, str) else "function"
    if kind in {"function", "custom"}:
        raise Malformed(f"{path}.{kind} is required.", param=f"{path}.{kind}")
    raise Unsupported(f"{path}: tool calls of type '{kind[:40]}' are not supported.", param=path)


def _read_thinking(message: AssistantMessage) -> list[Thinking]:
    text = message.reasoning_content or message.reasoning or ""
    blocks = read_thinking_blocks(message.thinking_blocks or ())
    if len(blocks) == 1 and not blocks[0].text and not blocks[0].redacted:
        # Clients that put streams together may have the words elsewhere than the signature.
        return [msgspec.structs.replace(blocks[0], text=text)]
    return blocks or ([Thinking(text)] if text else [])


def _read_content(content: str | Iterable[_WirePart] | None, path: str) -> tuple[Part, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_read_part(part, f"{path}.content[{index}]") for index, part in enumerate(content))


def _read_part(part: _WirePart, path: str) -> Part:
    match part:
        case TextPart():
            return Text(part.text, said(part.cache_control))
        case ImagePart():
            return msgspec.structs.replace(read_image(part, path), cache_control=said(part.cache_control))
        case AudioPart():
            return read_audio(part, path)
        case FilePart():
            return msgspec.structs.replace(read_file(part, path), cache_control=said(part.cache_control))
        case VideoPart():
            return read_video(part, path)
        case RefusalPart():
            return Refusal(part.refusal)
        case _:
            assert_never(part)


def _function_call_id(name: str) -> str:
    """An id for a call from before calls had ids; its answer names the same function."""
    return f"call_{name}"


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_messages(messages: Iterable[Message], customs: Container[str] = ()) -> list[WireMessage]:
    """The messages on the wire; one with several tool results becomes several.

    Args:
        messages: The conversation.
        customs: The names of the custom tools.

    Raises:
        Unsupported: a role cannot have a part that it has; the message names both.
    """
    written: list[WireMessage] = []
    for index, message in enumerate(messages):
        parts = message.parts
        results = [part for part in parts if isinstance(part, ToolResult)]
        if results:
            written += [_write_result(part) for part in results]
            parts = tuple(part for part in parts if not isinstance(part, ToolResult))
        if parts or not results:
            written.append(_write_message(message, parts, customs, index))
    return written


def _write_message(message: Message, parts: tuple[Part, ...], customs: Container[str], index: int) -> WireMessage:
    match message.role:
        case "user":
            return UserMessage(_write_user(parts, index), message.name)
        case "assistant":
            return msgspec.structs.replace(_write_assistant(parts, customs, index), name=message.name)
        case "system":
            return SystemMessage(_write_texts(parts, index), message.name)
        case "developer":
            return DeveloperMessage(_write_texts(parts, index), message.name)
        case "tool":
            path = f"messages[{index}]"
            raise Unsupported(f"{path}: a tool message can hold tool results only.", param=path)
        case _:
            assert_never(message.role)


def _only_text(parts: tuple[Part, ...]) -> str | None:
    """What is said where that is one text, as nearly always."""
    return parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else None


def _write_texts(parts: tuple[Part, ...], index: int) -> str | list[TextPart]:
    only = _only_text(parts)
    if only is not None:
        return only
    texts = [TextPart(part.text) for part in parts if isinstance(part, Text)]
    if len(texts) != len(parts):
        path = f"messages[{index}]"
        raise Unsupported(f"{path}: a system message can hold text only.", param=path)
    return texts


def _write_user(parts: tuple[Part, ...], index: int) -> str | list[UserPart]:
    if not parts:
        return ""
    only = _only_text(parts)
    if only is not None:
        return only
    path = f"messages[{index}]"
    written: list[UserPart] = []
    for part in parts:
        match part:
            case Text():
                written.append(TextPart(part.text))
            case Image():
                written.append(write_image(part))
            case Audio():
                written.append(write_audio(part))
            case File():
                written.append(write_file(part, path))
            case _:
                what = type(part).__name__.lower()
                raise Unsupported(f"{path}: a user message cannot hold a part of kind {what}.", param=path)
    return written


def _write_assistant(parts: tuple[Part, ...], customs: Container[str], index: int) -> AssistantMessage:
    only_text = _only_text(parts)
    if only_text is not None:
        return AssistantMessage(only_text)
    thinking = [part for part in parts if isinstance(part, Thinking)]
    tools = [part for part in parts if isinstance(part, ToolCall)]
    sounds = [part for part in parts if isinstance(part, Audio)]
    named = sound_id(sounds[0]) if sounds else None
    content: list[TextPart | RefusalPart] = []
    for part in parts:
        if isinstance(part, Text):
            content.append(TextPart(part.text))
        elif isinstance(part, Refusal):
            content.append(RefusalPart(part.text))
        elif isinstance(part, Audio) and named is None:
            content.append(TextPart(part.transcript))
        elif not isinstance(part, Thinking | ToolCall | Audio):
            path, what = f"messages[{index}]", type(part).__name__.lower()
            raise Unsupported(f"{path}: an assistant message cannot hold a part of kind {what}.", param=path)
    only = content[0] if len(content) == 1 else None
    nothing = None if tools or named else ""
    return AssistantMessage(
        content=only.text if isinstance(only, TextPart) else content or nothing,
        audio=None if named is None else AudioFields(named),
        tool_calls=[_write_call(call, customs) for call in tools] or None,
        reasoning_content="".join(part.text for part in thinking) or None,
        thinking_blocks=_write_thinking(thinking),
    )


def _write_call(call: ToolCall, customs: Container[str]) -> ToolCallFields:
    if call.name in customs:
        return ToolCallFields(call.id, "custom", custom=CustomCall(call.name, unwrap_input(call.arguments)))
    return ToolCallFields(call.id, "function", FunctionCall(call.name, call.arguments))


def _write_thinking(thinking: list[Thinking]) -> list[ThinkingBlock] | None:
    if not any(part.signature for part in thinking):
        return None
    return [write_thinking_block(part) for part in thinking]


def _write_result(result: ToolResult) -> ToolMessage:
    parts = result.parts
    if not parts:
        return ToolMessage(result.call_id, "", result.name)
    if len(parts) == 1 and isinstance(parts[0], Text):
        return ToolMessage(result.call_id, parts[0].text, result.name)
    return ToolMessage(result.call_id, [_write_result_part(part) for part in parts], result.name)


def _write_result_part(part: Text | Image | File) -> TextPart | ImagePart:
    match part:
        case Text():
            return TextPart(part.text)
        case Image():
            return write_image(part)
        case File():
            if part.text is None:
                raise Unsupported(
                    "The result of a tool cannot hold a document in the OpenAI dialect.", param="messages"
                )
            return TextPart(part.text)
        case _:
            assert_never(part)
