"""The messages of a chat, written for Cohere.

A system's or a developer's message is a system message. A speaker's ``name`` has no place and is left out. What the
model said or thought before it called tools is its ``tool_plan``; models that reason get their thoughts back as such.
"""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.core.content import File, Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Unsupported
from pointsman.dialects.cohere_chat.types import ChatMessage, ImageUrl, SentBlock, SentCall, SentFunction

__all__ = ["write_messages"]


def write_messages(messages: Iterable[Message], *, thinks: bool) -> list[ChatMessage]:
    """The messages on the wire; one with several tool results becomes several.

    Args:
        messages: The conversation.
        thinks: Whether the model reasons, so that thoughts of earlier turns are content and not a plan.

    Raises:
        Unsupported: a message holds what has no place there; the message names it.
    """
    written: list[ChatMessage] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        written += [_write_result(part, path) for part in results]
        rest = tuple(part for part in message.parts if not isinstance(part, ToolResult))
        if rest or not results:
            written.append(_write_message(message, rest, path, thinks=thinks))
    return written


def _write_message(message: Message, parts: tuple[Part, ...], path: str, *, thinks: bool) -> ChatMessage:
    match message.role:
        case "system" | "developer":
            return ChatMessage("system", "\n".join(_text(part, f"{path}.content") for part in parts))
        case "assistant":
            return _write_assistant(parts, path, thinks=thinks)
        case "tool":
            raise Unsupported(f"{path}: a tool message can hold tool results only.", param=path)
        case _:
            return ChatMessage("user", _write_user(parts, path))


def _write_user(parts: tuple[Part, ...], path: str) -> str | list[SentBlock]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_user_block(part, f"{path}.content[{position}]") for position, part in enumerate(parts)] or ""


def _user_block(part: Part, place: str) -> SentBlock:
    if isinstance(part, Image):
        url = part.url if part.data is None else f"data:{part.media_type or 'image/png'};base64,{part.data}"
        return SentBlock("image_url", image_url=ImageUrl(url or "", part.detail))
    return SentBlock("text", text=_text(part, place))


def _write_assistant(parts: tuple[Part, ...], path: str, *, thinks: bool) -> ChatMessage:
    thoughts = [part.text for part in parts if isinstance(part, Thinking) and part.text]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    texts = [
        _text(part, f"{path}.content[{position}]")
        for position, part in enumerate(parts)
        if not isinstance(part, Thinking | ToolCall)
    ]
    blocks = [SentBlock("thinking", thinking=text) for text in thoughts] if thinks else []
    if calls:
        plan = texts if thinks else [*thoughts, *texts]
        sent = [SentCall(call.id, SentFunction(call.name, call.arguments or "{}")) for call in calls]
        return ChatMessage("assistant", blocks or None, tool_calls=sent, tool_plan="\n".join(plan) or None)
    if not blocks:
        return ChatMessage("assistant", "\n".join(texts))
    return ChatMessage("assistant", [*blocks, *(SentBlock("text", text=text) for text in texts)])


def _write_result(result: ToolResult, path: str) -> ChatMessage:
    texts = [_text(part, path) for part in result.parts]
    content = texts[0] if len(texts) == 1 else [SentBlock("text", text=text) for text in texts] or ""
    return ChatMessage("tool", content, tool_call_id=result.call_id)


def _text(part: Part, place: str) -> str:
    """The words of a part.

    Raises:
        Unsupported: it has none.
    """
    if isinstance(part, Text | Refusal):
        return part.text
    if isinstance(part, File) and part.text is not None:
        return part.text
    what = "image" if isinstance(part, Image) else type(part).__name__.lower()
    raise Unsupported(f"{place}: Cohere takes no {what} there.", param=place)
