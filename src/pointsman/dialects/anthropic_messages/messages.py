"""The messages of a request, read into the common vocabulary.

Source: https://platform.claude.com/docs/en/api/messages. Results of tools stand in the user's turn there, before all
else; in the middle they are a message of the role ``tool`` before the user's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from pointsman.core.content import File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Malformed
from pointsman.dialects.anthropic_messages.media import read_document, read_image
from pointsman.dialects.anthropic_messages.server_tools import ServerToolReader
from pointsman.dialects.anthropic_messages.types import (
    AssistantMessage,
    DocumentBlock,
    ImageBlock,
    RedactedThinkingBlock,
    ServerResultBlock,
    ServerUseBlock,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
    WireMessage,
    said,
)
from pointsman.dialects.signatures import ANTHROPIC, unseal

__all__ = ["read_messages", "read_system"]

_UserBlock = TextBlock | ImageBlock | DocumentBlock | ToolResultBlock
_SaidBlock = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock
_AssistantBlock = _SaidBlock | ServerUseBlock | ServerResultBlock
_encode: Final = msgspec.json.Encoder().encode
_OBJECT: Final = ord("{")


def read_system(content: str | list[TextBlock] | None) -> tuple[Message, ...]:
    """The system prompt as a first message, if there is one."""
    return (Message("system", _read_texts(content)),) if content else ()


def read_messages(messages: Iterable[WireMessage]) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        Malformed: a block cannot be read; ``param`` is its path.
        Unsupported: an uploaded image, or a document made of images.
    """
    found: list[Message] = []
    for index, message in enumerate(messages):
        match message:
            case SystemMessage():
                found.append(Message("system", _read_texts(message.content)))
            case AssistantMessage():
                found.append(Message("assistant", _read_assistant(message.content, index)))
            case UserMessage():
                found += _read_user(message.content, index)
            case _:
                assert_never(message)
    return tuple(found)


def _read_texts(content: str | list[TextBlock]) -> tuple[Text, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_read_text(block) for block in content)


def _read_text(block: TextBlock) -> Text:
    return Text(block.text, said(block.cache_control))


def _read_user(content: str | list[_UserBlock], message: int) -> list[Message]:
    if isinstance(content, str):
        return [Message("user", (Text(content),))]
    results: list[Part] = []
    rest: list[Part] = []
    for index, block in enumerate(content):
        place = f"messages[{message}].content[{index}]"
        if isinstance(block, ToolResultBlock):
            results.append(_read_result(block, place))
        else:
            rest += _read_shown(block, place)
    found = [Message("tool", tuple(results))] if results else []
    return found if results and not rest else [*found, Message("user", tuple(rest))]


def _read_shown(block: TextBlock | ImageBlock | DocumentBlock, path: str) -> list[Text | Image | File]:
    match block:
        case TextBlock():
            return [_read_text(block)]
        case ImageBlock():
            return [read_image(block, path)]
        case DocumentBlock():
            return [*read_document(block, path)]
        case _:
            assert_never(block)


def _read_result(block: ToolResultBlock, path: str) -> ToolResult:
    parts: list[Text | Image | File] = []
    if isinstance(block.content, str):
        parts.append(Text(block.content))
    else:
        for index, inner in enumerate(block.content or ()):
            parts += _read_shown(inner, f"{path}.content[{index}]")
    return ToolResult(
        block.tool_use_id, tuple(parts), is_error=bool(block.is_error), cache_control=said(block.cache_control)
    )


def _read_assistant(content: str | list[_AssistantBlock], message: int) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    path = f"messages[{message}].content"
    parts: list[Part] = []
    tools = ServerToolReader()
    for index, block in enumerate(content):
        if isinstance(block, ServerUseBlock):
            tools.opened(msgspec.Raw(_encode(block)), index)
            tools.closed(index, 0)
        elif isinstance(block, ServerResultBlock):
            use = tools.result(msgspec.Raw(_encode(block)))
            parts += [] if use is None else [use]
        else:
            if tools.waits and isinstance(block, ToolUseBlock):
                raise Malformed(
                    f"{path}[{index}] comes of code that still runs ('server_tool_use'), which only Anthropic knows.",
                    param=f"{path}[{index}]",
                )
            parts.append(_read_said(block, f"{path}[{index}]"))
    return (*parts, *tools.rest())


def _read_said(block: _SaidBlock, path: str) -> Part:
    match block:
        case TextBlock():
            return _read_text(block)
        case ThinkingBlock():
            return unseal(Thinking(block.thinking, block.signature or None), ANTHROPIC)
        case RedactedThinkingBlock():
            return unseal(Thinking("", block.data, redacted=True), ANTHROPIC)
        case ToolUseBlock():
            if memoryview(block.input)[0] != _OBJECT:
                raise Malformed(f"{path}.input must be an object.", param=f"{path}.input")
            return ToolCall(block.id, block.name, bytes(block.input).decode(), cache_control=said(block.cache_control))
        case _:
            assert_never(block)
