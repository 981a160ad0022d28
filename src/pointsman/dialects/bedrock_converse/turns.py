"""The messages of a request, written as turns.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html. Turns of user and assistant
alternate, with the results of tools before all else in the user's; instructions stand apart from them, in ``system``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import File, Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.bedrock_converse.abilities import Abilities
from pointsman.dialects.bedrock_converse.media import DocumentNames, write_document, write_image
from pointsman.dialects.bedrock_converse.names import ToolNames, fit_id
from pointsman.dialects.bedrock_converse.types import (
    CachePoint,
    ContentBlock,
    ReasoningContent,
    ReasoningText,
    ToolResultFields,
    ToolUseFields,
    TurnFields,
)

__all__ = ["TurnWriter", "write_cache_point"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NOTHING: Final = msgspec.Raw(b"{}")
_TTLS: Final = frozenset({"5m", "1h"})


class _CacheControl(msgspec.Struct):
    ttl: str | None = None


_decode_cache_control: Final = msgspec.json.Decoder(_CacheControl).decode


def write_cache_point(mark: msgspec.Raw | None, abilities: Abilities) -> CachePoint | None:
    """The cache point for a part's ``cache_control``, where the model knows any; it is a hint, so never an error."""
    if mark is None or not abilities.cache_points:
        return None
    try:
        ttl = _decode_cache_control(mark).ttl
    except msgspec.MsgspecError:
        ttl = None
    return CachePoint("default", ttl if ttl in _TTLS and abilities.cache_ttl else None)


class TurnWriter:
    """Writes the messages of one request.

    Args:
        abilities: What the model can do.
        names: The tools' names.
        with_tools: Whether tools are offered. Where none are, Bedrock refuses calls and results among the messages, so
            they are told in words.
    """

    def __init__(self, abilities: Abilities, names: ToolNames, *, with_tools: bool) -> None:
        self._abilities = abilities
        self._names = names
        self._with_tools = with_tools
        self._documents = DocumentNames()
        self._system: list[ContentBlock] = []
        self._turns: list[TurnFields] = []
        self._results = 0

    def write(self, messages: Iterable[Message]) -> tuple[list[ContentBlock], list[TurnFields]]:
        """The system prompt, and the other messages as turns that alternate.

        Empty texts are left out, since Bedrock refuses them, and so is reasoning without a signature. System messages
        within the conversation join the system prompt: a user's turn would not have their weight.

        Raises:
            Malformed: a tool call's arguments are not a JSON object, or there is nothing to answer.
            Unsupported: a role cannot have a part that it has; the message names both.
        """
        for index, message in enumerate(messages):
            path = f"messages[{index}]"
            if message.role in {"system", "developer"}:
                self._write_system(message.parts, path)
            else:
                role = "assistant" if message.role == "assistant" else "user"
                for position, part in enumerate(message.parts):
                    self._write_part(role, part, f"{path}.content[{position}]")
        if not self._turns:
            raise Malformed(
                "messages must hold something other than instructions and empty texts.",
                hint="Send a message of the role user.",
                param="messages",
            )
        self._name_documents()
        self._trim_last()
        return self._system, self._turns

    def _write_system(self, parts: tuple[Part, ...], path: str) -> None:
        for part in parts:
            if not isinstance(part, Text):
                raise Unsupported(f"{path}: a system message can hold text only.", param=path)
            if part.text.strip():
                self._system += [ContentBlock(text=part.text), *self._mark(part.cache_control)]

    def _write_part(self, role: str, part: Part, path: str) -> None:
        if role == "assistant":
            blocks = self._said(part, path)
        elif isinstance(part, ToolResult):
            blocks = self._result(part, path)
        else:
            blocks = self._shown(part, path, "a user message")
        if not blocks:
            return
        turn = self._turn(role)
        if isinstance(part, ToolResult):
            turn.content[self._results : self._results] = blocks
            self._results += len(blocks)
        else:
            turn.content += blocks

    def _turn(self, role: str) -> TurnFields:
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(TurnFields(role, []))
            self._results = 0
        return self._turns[-1]

    def _mark(self, mark: msgspec.Raw | None) -> list[ContentBlock]:
        point = write_cache_point(mark, self._abilities)
        return [] if point is None else [ContentBlock(cache_point=point)]

    def _shown(self, part: Part, path: str, where: str) -> list[ContentBlock]:
        match part:
            case Text():
                return [ContentBlock(text=part.text), *self._mark(part.cache_control)] if part.text.strip() else []
            case Image():
                return [ContentBlock(image=write_image(part, path)), *self._mark(part.cache_control)]
            case File():
                document = write_document(part, self._documents, path)
                return [ContentBlock(document=document), *self._mark(part.cache_control)]
            case _:
                raise Unsupported(f"{path}: {where} cannot hold {type(part).__name__.lower()} here.", param=path)

    def _result(self, result: ToolResult, path: str) -> list[ContentBlock]:
        content: list[ContentBlock] = []
        for index, part in enumerate(result.parts):
            shown = self._shown(part, f"{path}.content[{index}]", "the result of a tool")
            content += [block for block in shown if block.cache_point is None]
        if not self._with_tools:
            return [ContentBlock(text="The tool failed:" if result.is_error else "The tool answered:"), *content]
        fields = ToolResultFields(
            fit_id(result.call_id), content or [ContentBlock(text="")], "error" if result.is_error else None
        )
        return [ContentBlock(tool_result=fields), *self._mark(result.cache_control)]

    def _said(self, part: Part, path: str) -> list[ContentBlock]:
        match part:
            case Text():
                return [ContentBlock(text=part.text), *self._mark(part.cache_control)] if part.text.strip() else []
            case Refusal():
                return [ContentBlock(text=part.text)] if part.text.strip() else []
            case Thinking():
                return _thought(part)
            case ToolCall():
                return self._call(part, path)
            case _:
                what = type(part).__name__.lower()
                raise Unsupported(f"{path}: an assistant message cannot hold {what} here.", param=path)

    def _call(self, call: ToolCall, path: str) -> list[ContentBlock]:
        arguments = _arguments(call, path)
        if not self._with_tools:
            return [ContentBlock(text=f"I call the tool {call.name} with {bytes(arguments).decode()}")]
        use = ToolUseFields(fit_id(call.id), self._names.fitted(call.name), arguments)
        return [ContentBlock(tool_use=use), *self._mark(call.cache_control)]

    def _name_documents(self) -> None:
        """Bedrock refuses a turn with a document and no text; the document's own name says nothing new."""
        for turn in self._turns:
            first = next((block.document for block in turn.content if block.document is not None), None)
            if first is not None and not any(isinstance(block.text, str) for block in turn.content):
                turn.content.append(ContentBlock(text=first.name))

    def _trim_last(self) -> None:
        """Claude refuses to continue an answer whose last text ends with white space."""
        last = self._turns[-1]
        if last.role == "assistant" and isinstance(text := last.content[-1].text, str):
            last.content[-1].text = text.rstrip()


def _thought(part: Thinking) -> list[ContentBlock]:
    if part.signature is None:
        return []
    if part.redacted:
        return [ContentBlock(reasoning_content=ReasoningContent(redacted_content=part.signature))]
    return [ContentBlock(reasoning_content=ReasoningContent(ReasoningText(part.text, part.signature)))]


def _arguments(call: ToolCall, path: str) -> msgspec.Raw:
    if not call.arguments.strip():
        return _NOTHING
    try:
        _decode_object(call.arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed(
            f"{path}: the arguments of the call of '{call.name[:80]}' must be a JSON object as text.", param=path
        ) from None
    return msgspec.Raw(call.arguments.encode())
