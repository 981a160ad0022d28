"""Output items: what an answer consists of, whole or while it grows.

Source: https://platform.openai.com/docs/api-reference/responses/object (output).

The reasoning of a model is written as the summary of a reasoning item, in one part, since that is what every client
shows; ``reasoning_text`` is kept for models that show their reasoning as it is, and Codex hides it. Its signature is
``encrypted_content``, which clients send back unread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, assert_never

import msgspec

from pointsman.core.content import Audio, Citation, Image, Refusal, ServerToolUse, Text, Thinking, ToolCall
from pointsman.core.events import FinishReason, ThinkingSigned
from pointsman.core.reply import Choice, Said
from pointsman.dialects.custom_tools import unwrap_input
from pointsman.dialects.openai_responses.citations import write_annotation
from pointsman.dialects.openai_responses.given import API, GivenKind, given_kind, item_id, write_given
from pointsman.dialects.openai_responses.types import LogprobToken
from pointsman.dialects.server_tools import media_in_words
from pointsman.dialects.signatures import OPENAI, seal

__all__ = [
    "ItemKind",
    "OutputItem",
    "OutputPart",
    "PartKind",
    "choice_items",
    "given_item",
    "part_of",
    "read_logprobs",
    "seal_signed",
    "was_cut_off",
]

ItemKind = Literal["message", "reasoning", "function_call", "custom_tool_call"] | GivenKind
PartKind = Literal["output_text", "refusal", "summary_text"]

_PREFIXES: Final[dict[ItemKind, str]] = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "code_interpreter_call": "ci_",
    "web_search_call": "ws_",
    "image_generation_call": "ig_",
    "native": "",
}
_CUT_OFF: Final = frozenset({"length", "content_filter"})

_decode_tokens: Final = msgspec.json.Decoder(list[LogprobToken]).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OutputPart:
    """A part of a message or of a summary."""

    __slots__ = ("annotations", "kind", "logprobs", "pieces")

    def __init__(self, kind: PartKind) -> None:
        self.kind = kind
        self.pieces: list[str] = []
        self.logprobs: list[LogprobToken] = []
        self.annotations: list[dict[str, object]] = []

    @property
    def text(self) -> str:
        """The words so far."""
        return "".join(self.pieces)

    def wire(self) -> dict[str, object]:
        """The part, to be encoded."""
        if self.kind == "output_text":
            return {"type": self.kind, "text": self.text, "annotations": self.annotations, "logprobs": self.logprobs}
        name = "refusal" if self.kind == "refusal" else "text"
        return {"type": self.kind, name: self.text}


class OutputItem:
    """An item of an answer.

    ``index`` is its place in the output, from which, with the response's id, its own is made. ``pieces`` are those of
    a call's arguments; ``parts`` those of a message or of reasoning. ``group`` is where the called tool stands;
    ``given`` is what came whole; of one that is ``coded`` the code comes before, in pieces.
    """

    __slots__ = (
        "call_id",
        "coded",
        "given",
        "group",
        "id",
        "index",
        "kind",
        "name",
        "parts",
        "pieces",
        "signature",
        "status",
    )

    def __init__(self, kind: ItemKind, index: int, response_id: str, *, call_id: str = "", name: str = "") -> None:
        self.kind = kind
        self.index = index
        self.id = f"{_PREFIXES[kind]}{response_id.removeprefix('resp_')}{index:02x}"
        self.call_id = call_id
        self.name = name
        self.group: tuple[str, str] | None = None
        self.given: Image | Audio | ServerToolUse | None = None
        self.coded = False
        self.parts: list[OutputPart] = []
        self.pieces: list[str] = []
        self.signature: str | None = None
        self.status: Literal["in_progress", "completed", "incomplete"] = "in_progress"

    @property
    def arguments(self) -> str:
        """The arguments of a call so far."""
        return "".join(self.pieces)

    def part(self, kind: PartKind) -> OutputPart:
        """The last part, if it is of this kind, or a new one behind it."""
        if not self.parts or self.parts[-1].kind != kind:
            self.parts.append(OutputPart(kind))
        return self.parts[-1]

    def is_whole(self) -> bool:
        """Whether it can be closed when another follows: a call only once its arguments are an object."""
        if self.coded:
            return isinstance(self.given, ServerToolUse) and bool(self.given.input)
        if self.kind not in {"function_call", "custom_tool_call"}:
            return True
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            _decode_object(self.arguments)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        return True

    def give_code(self, use: ServerToolUse | None) -> None:
        """All of the use whose code came in pieces; None: it never came. Nobody is told other code than before."""
        told = use if use is not None else self.given
        if isinstance(told, ServerToolUse):
            before = self.arguments
            self.given = told if told.input == before else msgspec.structs.replace(told, input=before, native=())

    def finish(self, *, cut_off: bool) -> None:
        """The item is over. A whole call without a word of arguments has none, which clients expect to see as JSON."""
        self.status = "incomplete" if cut_off else "completed"
        if self.kind == "function_call" and not cut_off and not self.arguments:
            self.pieces.append("{}")

    def empty(self) -> dict[str, object]:
        """The item as it is announced, before any of its content."""
        match self.kind:
            case "message":
                return self._wire(role="assistant", content=[])
            case "reasoning":
                return {"id": self.id, "type": "reasoning", "summary": []}
            case "function_call":
                return self._wire(arguments="", call_id=self.call_id, **self._called())
            case "custom_tool_call":
                return self._wire(call_id=self.call_id, input="", **self._called())
            case _:
                return write_given(self.given, self.id, whole=False)

    def wire(self) -> dict[str, object]:
        """The item with all of its content, to be encoded."""
        match self.kind:
            case "message":
                return self._wire(role="assistant", content=[part.wire() for part in self.parts])
            case "reasoning":
                summary = [part.wire() for part in self.parts]
                item: dict[str, object] = {"id": self.id, "type": "reasoning", "summary": summary}
                return item if self.signature is None else {**item, "encrypted_content": self.signature}
            case "function_call":
                return self._wire(arguments=self.arguments, call_id=self.call_id, **self._called())
            case "custom_tool_call":
                return self._wire(call_id=self.call_id, input=unwrap_input(self.arguments), **self._called())
            case _:
                return write_given(self.given, self.id, whole=True)

    def _called(self) -> dict[str, object]:
        group = self.group
        return {"name": self.name} if group is None else {"name": group[1], "namespace": group[0]}

    def _wire(self, **fields: object) -> dict[str, object]:
        return {"id": self.id, "type": self.kind, "status": self.status, **fields}


def choice_items(choice: Choice, response_id: str, customs: frozenset[str]) -> list[OutputItem]:
    """The items of a whole answer, in the order in which the model gave them; ``customs`` names the custom tools."""
    items: list[OutputItem] = []
    tokens = read_logprobs(choice.logprobs)
    for part in _spoken(choice.parts) or (Text(""),):
        match part:
            case Thinking():
                reasoning = _add(items, OutputItem("reasoning", len(items), response_id))
                reasoning.signature = seal_signed(part)
                if part.text:
                    reasoning.part("summary_text").pieces.append(part.text)
            case Text() | Refusal():
                last = items[-1] if items and items[-1].kind == "message" else None
                message = last or _add(items, OutputItem("message", len(items), response_id))
                words = message.part("refusal" if isinstance(part, Refusal) else "output_text")
                words.pieces.append(part.text)
                if words.kind == "output_text":
                    words.logprobs += tokens
                    tokens = []
            case ToolCall():
                kind: ItemKind = "custom_tool_call" if part.name in customs else "function_call"
                item = OutputItem(kind, len(items), response_id, call_id=part.id, name=part.name)
                _add(items, item).pieces.append(part.arguments)
            case Image() | Audio() | ServerToolUse():
                given = given_item(part, len(items), response_id)
                items += [] if given is None else [given]
            case _:
                assert_never(part)
    for citation in choice.citations:
        place = part_of(items, citation)
        if place is not None:
            place[1].annotations.append(write_annotation(citation, place[2]))
    if not items:
        _add(items, OutputItem("message", 0, response_id)).part("output_text")
    for item in items:
        item.finish(cut_off=item is items[-1] and was_cut_off(choice.finish_reason))
    return items


def _spoken(parts: Iterable[Said]) -> list[Said]:
    """What was said, sounds in words, as they have no item."""
    told = [Text(media_in_words(part, API)) if isinstance(part, Audio) else part for part in parts]
    return [part for part in told if part != Text("")]


def given_item(part: Image | Audio | ServerToolUse, index: int, response_id: str) -> OutputItem | None:
    """The item for what comes whole; None: there is none for it."""
    kind = given_kind(part)
    if kind is None:
        return None
    item = OutputItem(kind, index, response_id)
    item.given = part
    item.id = item_id(part) or item.id
    return item


def _add(items: list[OutputItem], item: OutputItem) -> OutputItem:
    items.append(item)
    return item


def part_of(items: Iterable[OutputItem], citation: Citation) -> tuple[OutputItem, OutputPart, int] | None:
    """The part of text that rests on a source, its item, and where it begins in the text of the answer.

    That is the last one, where nobody says; None: there is no text at all.
    """
    found = None
    offset = 0
    for item in items:
        for part in item.parts:
            if part.kind != "output_text":
                continue
            found = item, part, offset
            offset += len(part.text)
            if citation.end is not None and citation.end <= offset:
                return found
    return found


def seal_signed(part: Thinking | ThinkingSigned) -> str | None:
    """The signature of some reasoning, for ``encrypted_content``."""
    if part.signature is None:
        return None
    return seal(part.signature, part.signer, OPENAI, redacted=part.redacted)


def was_cut_off(reason: FinishReason | None) -> bool:
    """Whether an answer that ended so is incomplete."""
    return reason in _CUT_OFF


def read_logprobs(arrays: Iterable[msgspec.Raw]) -> list[LogprobToken]:
    """Log probabilities from arrays of OpenAI's form; what is not of that form is left out.

    This API has the bytes of every token, where Chat Completions may have null.
    """
    tokens: list[LogprobToken] = []
    for raw in arrays:
        try:
            tokens += _decode_tokens(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    for token in tokens:
        token.bytes = list(token.token.encode()) if token.bytes is None else token.bytes
        token.top_logprobs = token.top_logprobs or []
        for other in token.top_logprobs:
            other.bytes = list(other.token.encode()) if other.bytes is None else other.bytes
    return tokens
