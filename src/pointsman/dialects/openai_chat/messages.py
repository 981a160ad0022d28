"""The messages of a chat request, to and from the common vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
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
from pointsman.dialects.openai_chat.media import (
    read_audio,
    read_file,
    read_image,
    write_audio,
    write_file,
    write_image,
)
from pointsman.dialects.openai_chat.thinking import read_thinking_blocks, write_thinking_block
from pointsman.dialects.openai_chat.types import (
    AssistantMessage,
    AudioPart,
    DeveloperMessage,
    FilePart,
    FunctionCall,
    FunctionMessage,
    ImagePart,
    RefusalPart,
    SystemMessage,
    TextPart,
    ThinkingBlock,
    ToolCallFields,
    ToolMessage,
    UserMessage,
    WireMessage,
)

__all__ = ["read_messages", "write_messages"]

_WirePart = TextPart | ImagePart | AudioPart | FilePart | RefusalPart

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_messages(messages: Iterable[WireMessage]) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        Malformed: a part cannot be read; ``param`` is its path.
        Unsupported: a custom tool's call.
    """
    return tuple(_read_message(message, f"messages[{index}]") for index, message in enumerate(messages))


def _read_message(message: WireMessage, path: str) -> Message:
    match message:
        case SystemMessage():
            return Message("system", _read_content(message.content, path), message.name)
        case DeveloperMessage():
            return Message("developer", _read_content(message.content, path), message.name)
        case UserMessage():
            return Message("user", _read_content(message.content, path), message.name)
        case AssistantMessage():
            return Message("assistant", _read_assistant(message, path), message.name)
        case ToolMessage():
            parts = tuple(
                part for part in _read_content(message.content or None, path) if isinstance(part, Text | Image)
            )
            return Message("tool", (ToolResult(message.tool_call_id, parts, message.name),))
        case FunctionMessage():
            parts = () if message.content is None else (Text(message.content),)
            return Message("tool", (ToolResult(_function_call_id(message.name), parts, message.name),))
        case _:
            assert_never(message)


def _read_assistant(message: AssistantMessage, path: str) -> tuple[Part, ...]:
    content = message.content or None
    parts: list[Part] = [*_read_thinking(message), *_read_content(content, path)]
    parts += [read_image(image, f"{path}.images[{index}]") for index, image in enumerate(message.images or ())]
    if message.refusal:
        parts.append(Refusal(message.refusal))
    if message.function_call is not None:
        call = message.function_call
        parts.append(ToolCall(_function_call_id(call.name), call.name, call.arguments))
    for index, tool in enumerate(message.tool_calls or ()):
        if tool.function is None:
            place = f"{path}.tool_calls[{index}]"
            if tool.type == "function":
                raise Malformed(f"{place}.function is required.", param=f"{place}.function")
            raise Unsupported(f"{place}: tool calls of type '{tool.type[:40]}' are not supported.", param=place)
        parts.append(ToolCall(tool.id, tool.function.name, tool.function.arguments))
    return tuple(parts)


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
            return Text(part.text)
        case ImagePart():
            return read_image(part, path)
        case AudioPart():
            return read_audio(part, path)
        case FilePart():
            return read_file(part, path)
        case RefusalPart():
            return Refusal(part.refusal)
        case _:
            assert_never(part)


def _function_call_id(name: str) -> str:
    """An id for a call from before calls had ids; its answer names the same function."""
    return f"call_{name}"


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_messages(messages: Iterable[Message]) -> list[WireMessage]:
    """The messages on the wire; one with several tool results becomes several.

    Raises:
        Unsupported: a role cannot have a part that it has; the message names both.
    """
    written: list[WireMessage] = []
    for index, message in enumerate(messages):
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        written += [_write_result(part) for part in results]
        rest = tuple(part for part in message.parts if not isinstance(part, ToolResult))
        if rest or not results:
            written.append(_write_message(message, rest, f"messages[{index}]"))
    return written


def _write_message(message: Message, parts: tuple[Part, ...], path: str) -> WireMessage:
    match message.role:
        case "system":
            return SystemMessage(_write_texts(parts, path), message.name)
        case "developer":
            return DeveloperMessage(_write_texts(parts, path), message.name)
        case "user":
            return UserMessage(_write_user(parts, path), message.name)
        case "assistant":
            return _write_assistant(parts, message.name, path)
        case "tool":
            raise Unsupported(f"{path}: a tool message can hold tool results only.", param=path)
        case _:
            assert_never(message.role)


def _write_texts(parts: tuple[Part, ...], path: str) -> str | list[TextPart]:
    texts = [TextPart(part.text) for part in parts if isinstance(part, Text)]
    if len(texts) != len(parts):
        raise Unsupported(f"{path}: a system message can hold text only.", param=path)
    return texts[0].text if len(texts) == 1 else texts


def _write_user(parts: tuple[Part, ...], path: str) -> str | list[TextPart | ImagePart | AudioPart | FilePart]:
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    written: list[TextPart | ImagePart | AudioPart | FilePart] = []
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


def _write_assistant(parts: tuple[Part, ...], name: str | None, path: str) -> AssistantMessage:
    thinking = [part for part in parts if isinstance(part, Thinking)]
    tools = [part for part in parts if isinstance(part, ToolCall)]
    content: list[TextPart | RefusalPart] = []
    for part in parts:
        if isinstance(part, Text):
            content.append(TextPart(part.text))
        elif isinstance(part, Refusal):
            content.append(RefusalPart(part.text))
        elif not isinstance(part, Thinking | ToolCall):
            what = type(part).__name__.lower()
            raise Unsupported(f"{path}: an assistant message cannot hold a part of kind {what}.", param=path)
    only = content[0] if len(content) == 1 else None
    nothing = None if tools else ""
    return AssistantMessage(
        content=only.text if isinstance(only, TextPart) else content or nothing,
        name=name,
        tool_calls=[ToolCallFields(call.id, "function", FunctionCall(call.name, call.arguments)) for call in tools]
        or None,
        reasoning_content="".join(part.text for part in thinking) or None,
        thinking_blocks=_write_thinking(thinking),
    )


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
