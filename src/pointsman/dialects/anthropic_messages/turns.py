"""The messages of a request, written as turns.

Source: https://platform.claude.com/docs/en/api/messages. Turns of user and assistant alternate, with the results of
tools before all else in the user's; instructions stand apart from them, in ``system``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import (
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
from pointsman.dialects.anthropic_messages.media import write_document, write_image
from pointsman.dialects.anthropic_messages.types import (
    AssistantMessage,
    DocumentBlock,
    ImageBlock,
    RedactedThinkingBlock,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from pointsman.dialects.signatures import ANTHROPIC, is_from

__all__ = ["calls_without_thought", "write_messages"]

_Block = TextBlock | ImageBlock | DocumentBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | msgspec.Raw
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NOTHING: Final = msgspec.Raw(b"{}")
_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")


class _Turn(msgspec.Struct):
    """One turn while messages are merged into it; ``results`` go first."""

    message: type[UserMessage | AssistantMessage | SystemMessage]
    results: list[ToolResultBlock] = []
    blocks: list[_Block] = []


class _Conversation:
    """Turns that alternate. A system message waits for the place where a turn of its role may stand."""

    def __init__(self, *, system_turns: bool) -> None:
        self.system: list[TextBlock] = []
        self.turns: list[_Turn] = []
        self._system_turns = system_turns
        self._held: list[TextBlock] = []

    def turn(self, kind: type[UserMessage | AssistantMessage]) -> _Turn:
        """The turn that a message of this kind goes to."""
        if kind is AssistantMessage:
            self.place()
        if not self.turns or self.turns[-1].message is not kind:
            self.turns.append(_Turn(kind))
        return self.turns[-1]

    def instruct(self, texts: list[TextBlock]) -> None:
        """A system message."""
        if self.turns and self._system_turns:
            self._held += texts
        else:
            self.system += texts

    def place(self) -> None:
        """Put what was held behind the user's turn, before an assistant's or at the end: nowhere else may it stand."""
        if self._held and self.turns[-1].message is UserMessage:
            self.turns.append(_Turn(SystemMessage, blocks=[*self._held]))
        else:
            self.system += self._held
        self._held = []


def write_messages(
    messages: Iterable[Message], *, system_turns: bool = False
) -> tuple[list[TextBlock], list[dict[str, object]]]:
    """The system prompt, and the other messages as turns that alternate.

    Empty texts are left out, since Anthropic refuses them, and so is reasoning without a signature of Anthropic's.
    System messages within the conversation keep their place where the model knows such turns; elsewhere they join the
    system prompt: what they demand is meant for the next answer, and a user's turn would not have their weight.

    Raises:
        Malformed: a tool call's arguments are not a JSON object, or there is nothing to answer.
        Unsupported: a role cannot have a part that it has; the message names both.
    """
    conversation = _Conversation(system_turns=system_turns)
    for index, message in enumerate(messages):
        if message.role in {"system", "developer"}:
            conversation.instruct(_write_texts(message.parts, index))
        elif message.role == "assistant":
            _write_assistant(message.parts, conversation, index)
        else:
            _write_user(message.parts, conversation, index)
    conversation.place()
    _trim_last(conversation.turns)
    turns = [_write_turn(turn) for turn in conversation.turns]
    if not turns:
        raise Malformed(
            "messages must hold something other than instructions and empty texts.",
            hint="Send a message of the role user.",
            param="messages",
        )
    return conversation.system, turns


def calls_without_thought(turns: list[dict[str, object]]) -> bool:
    """Whether the last turns are calls of tools, before which there is no reasoning, and their results.

    Source: https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks.
    """
    if len(turns) < 2 or not _holds(turns[-1]["content"], ToolResultBlock):
        return False
    said = turns[-2]["content"]
    first = said[0] if isinstance(said, list) else None
    return _holds(said, ToolUseBlock) and not isinstance(first, ThinkingBlock | RedactedThinkingBlock)


def _holds(content: object, kind: type[ToolResultBlock | ToolUseBlock]) -> bool:
    return isinstance(content, list) and any(isinstance(block, kind) for block in content)


def _trim_last(turns: list[_Turn]) -> None:
    """Anthropic refuses to continue an answer whose last text ends with white space."""
    if turns and turns[-1].message is AssistantMessage and isinstance(last := turns[-1].blocks[-1], TextBlock):
        last.text = last.text.rstrip()


def _write_turn(turn: _Turn) -> dict[str, object]:
    role = turn.message.__struct_config__.tag
    blocks = [*turn.results, *turn.blocks]
    only = blocks[0]
    if len(blocks) == 1 and isinstance(only, TextBlock) and only.cache_control is msgspec.UNSET:
        return {"role": role, "content": only.text}
    return {"role": role, "content": blocks}


def _write_text(part: Text | Refusal) -> TextBlock | None:
    """None for what Anthropic takes for empty."""
    if not part.text.strip():
        return None
    mark = part.cache_control if isinstance(part, Text) else None
    return TextBlock(part.text, msgspec.UNSET if mark is None else mark)


def _write_texts(parts: tuple[Part, ...], index: int) -> list[TextBlock]:
    blocks: list[TextBlock] = []
    for part in parts:
        if not isinstance(part, Text):
            path = f"messages[{index}]"
            raise Unsupported(f"{path}: a system message can hold text only.", param=path)
        block = _write_text(part)
        if block is not None:
            blocks.append(block)
    return blocks


def _write_assistant(parts: tuple[Part, ...], conversation: _Conversation, index: int) -> None:
    for position, part in enumerate(parts):
        if isinstance(part, ServerToolUse):
            if part.native:
                conversation.turn(AssistantMessage).blocks += part.native
            continue
        block = _write_text(part) if isinstance(part, Text) else _write_said(part, _place(index, position))
        if block is not None:
            conversation.turn(AssistantMessage).blocks.append(block)


def _place(index: int, position: int) -> str:
    return f"messages[{index}].content[{position}]"


def _write_user(parts: tuple[Part, ...], conversation: _Conversation, index: int) -> None:
    for position, part in enumerate(parts):
        if isinstance(part, ToolResult):
            conversation.turn(UserMessage).results.append(_write_result(part, _place(index, position)))
            continue
        if isinstance(part, Text):
            block: TextBlock | ImageBlock | DocumentBlock | None = _write_text(part)
        else:
            block = _write_shown(part, _place(index, position), "a user message")
        if block is not None:
            conversation.turn(UserMessage).blocks.append(block)


def _write_shown(part: Part, path: str, where: str) -> TextBlock | ImageBlock | DocumentBlock | None:
    match part:
        case Text():
            return _write_text(part)
        case Image():
            return write_image(part, path)
        case File():
            return write_document(part, path)
        case _:
            raise Unsupported(f"{path}: {where} cannot hold {type(part).__name__.lower()} here.", param=path)


def _write_result(result: ToolResult, path: str) -> ToolResultBlock:
    blocks = [
        block
        for index, part in enumerate(result.parts)
        if (block := _write_shown(part, f"{path}.content[{index}]", "the result of a tool")) is not None
    ]
    only = blocks[0] if len(blocks) == 1 else None
    plain = isinstance(only, TextBlock) and only.cache_control is msgspec.UNSET
    return ToolResultBlock(
        _fit_id(result.call_id),
        only.text if plain and isinstance(only, TextBlock) else blocks or None,
        is_error=result.is_error or None,
        cache_control=msgspec.UNSET if result.cache_control is None else result.cache_control,
    )


def _write_said(part: Part, path: str) -> _Block | None:
    match part:
        case Refusal():
            return _write_text(part)
        case Thinking():
            if part.signature is None or not is_from(part, ANTHROPIC):
                return None
            return RedactedThinkingBlock(part.signature) if part.redacted else ThinkingBlock(part.text, part.signature)
        case ToolCall():
            mark = msgspec.UNSET if part.cache_control is None else part.cache_control
            return ToolUseBlock(_fit_id(part.id), part.name, _write_arguments(part, path), mark)
        case _:
            what = type(part).__name__.lower()
            raise Unsupported(f"{path}: an assistant message cannot hold {what} here.", param=path)


def _write_arguments(call: ToolCall, path: str) -> msgspec.Raw:
    if not call.arguments.strip():
        return _NOTHING
    try:
        _decode_object(call.arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed(
            f"{path}: the arguments of the call of '{call.name[:80]}' must be a JSON object as text.", param=path
        ) from None
    return msgspec.Raw(call.arguments.encode())


def _fit_id(call_id: str) -> str:
    """An id in the letters that Anthropic allows; call and result are changed alike, so they stay together."""
    return _NOT_IN_IDS.sub("_", call_id) or "_"
