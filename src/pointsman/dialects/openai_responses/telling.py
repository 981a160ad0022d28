"""The events that tell of one item after the other: opening, pieces, closing, each with its place and number.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.dialects.custom_tools import unwrap_input
from pointsman.dialects.openai_responses.given import given_steps
from pointsman.dialects.openai_responses.output import OutputItem, OutputPart, PartKind
from pointsman.dialects.openai_responses.types import LogprobToken

__all__ = ["Teller"]

_encode: Final = msgspec.json.Encoder().encode

_TEXT: Final[dict[PartKind, str]] = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "summary_text": "response.reasoning_summary_text",
}
"""What the events of a kind of part are called, with ``.delta`` and ``.done``."""


class Teller:
    """Writes events and numbers them.

    ``item`` is the item that is open, ``done`` those that were closed, as they were told. ``text`` is where the pieces
    of the text go that is being told and may go on without further ado, or None.
    """

    __slots__ = ("_blocks", "_delta_head", "_number", "_part", "_place", "done", "item", "text")

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._number = 0
        self._part: OutputPart | None = None
        self._place: dict[str, object] = {}
        self._delta_head = b""
        self.item: OutputItem | None = None
        self.done: list[msgspec.Raw] = []
        self.text: list[str] | None = None

    def take(self) -> bytes:
        """The bytes of the events since the last time."""
        told = b"".join(self._blocks)
        self._blocks.clear()
        return told

    def go_on_from(self, item_id: str, number: int) -> None:
        """The item and the part that are open were told by somebody else, and so many events."""
        self._blocks.clear()
        self._number = number
        if self.item is not None and self._part is not None:
            self.item.id = item_id
            self._place["item_id"] = item_id
            self._delta_head = self._head(f"{_TEXT[self._part.kind]}.delta", self._place)

    def tell(self, kind: str, **fields: object) -> None:
        """One event."""
        data = _encode({"type": kind, **fields, "sequence_number": self._number})
        self._blocks.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        self._number += 1

    def tell_text(self, text: str) -> None:
        """More text, of the part that is open."""
        if self.text is not None:
            self.text.append(text)
            self._delta(text, b',"logprobs":[]')

    def tell_piece(self, part: OutputPart, text: str, tokens: list[LogprobToken]) -> None:
        """More of a part of the item that is open; opens the part where it is new."""
        if part is not self._part:
            self.open_part(part)
        logprobs = b',"logprobs":%b' % _encode(tokens) if part.kind == "output_text" else b""
        self._delta(text, logprobs)

    def tell_annotation(self, part: OutputPart, annotation: dict[str, object]) -> None:
        """A source of a part that is open; of another it is told when the part is closed."""
        if part is self._part:
            index = len(part.annotations)
            name = "response.output_text.annotation.added"
            self.tell(name, **self._place, annotation_index=index, annotation=annotation)

    def tell_arguments(self, arguments: str) -> None:
        """More of the arguments of the call that is open.

        Those of a custom tool are told when the call is closed, since its input is inside of them.
        """
        if self.item is not None and self.item.kind == "function_call":
            self._delta(arguments)

    def tell_code(self, code: str) -> None:
        """More of the code of the item that is open."""
        if code:
            self._delta(code)

    def keep_logprobs(self, tokens: list[LogprobToken]) -> None:
        """Log probabilities that came behind the text they belong to, told when its part is closed."""
        if self._part is not None and self._part.kind == "output_text":
            self._part.logprobs += tokens

    def open_item(self, item: OutputItem, *, is_last: bool) -> None:
        """An item begins, with what is known of it. ``is_last``: none is known that follows it."""
        self.item = item
        self._place = {"item_id": item.id, "output_index": item.index}
        self.tell("response.output_item.added", output_index=item.index, item=item.empty())
        if item.kind == "function_call":
            self._delta_head = self._head("response.function_call_arguments.delta", self._place)
        if item.coded:
            self.tell("response.code_interpreter_call.in_progress", **self._place)
            self._delta_head = self._head("response.code_interpreter_call_code.delta", self._place)
            self.tell_code(item.arguments)
        for part in item.parts:
            self.tell_piece(part, part.text, part.logprobs)
            annotations, part.annotations = part.annotations, []
            for annotation in annotations:
                self.tell_annotation(part, annotation)
                part.annotations.append(annotation)
        if item.arguments and not item.coded:
            self.tell_arguments(item.arguments)
        if not is_last:
            self.text = None

    def open_part(self, part: OutputPart) -> None:
        """A part begins."""
        self._close_part()
        item = self.item
        if item is None:
            return
        self._part = part
        index = "summary_index" if part.kind == "summary_text" else "content_index"
        self._place = {"item_id": item.id, "output_index": item.index, index: item.parts.index(part)}
        self.tell(f"{_frame(part)}.added", **self._place, part=OutputPart(part.kind).wire())
        self._delta_head = self._head(f"{_TEXT[part.kind]}.delta", self._place)
        self.text = part.pieces if part.kind == "output_text" else None

    def close_item(self, *, cut_off: bool) -> None:
        """The item that is open is over."""
        item = self.item
        if item is None:
            return
        self._close_part()
        arguments = item.arguments
        item.finish(cut_off=cut_off)
        if item.kind == "function_call":
            if item.arguments != arguments:
                self._delta(item.arguments)
            self.tell("response.function_call_arguments.done", **self._place, name=item.name, arguments=item.arguments)
        elif item.kind == "custom_tool_call":
            given = unwrap_input(arguments)
            if given:
                self.tell("response.custom_tool_call_input.delta", **self._place, delta=given)
            self.tell("response.custom_tool_call_input.done", **self._place, input=given)
        elif item.given is not None:
            for name, said in given_steps(item.given, item.kind, coded=item.coded):
                self.tell(name, **self._place, **said)
        wire = msgspec.Raw(_encode(item.wire()))
        self.tell("response.output_item.done", output_index=item.index, item=wire)
        self.done.append(wire)
        self.item = None

    def _close_part(self) -> None:
        part = self._part
        if part is None:
            return
        self._part = self.text = None
        name = "refusal" if part.kind == "refusal" else "text"
        logprobs = {"logprobs": part.logprobs} if part.kind == "output_text" else {}
        self.tell(f"{_TEXT[part.kind]}.done", **self._place, **{name: part.text}, **logprobs)
        self.tell(f"{_frame(part)}.done", **self._place, part=part.wire())

    def _head(self, kind: str, place: dict[str, object]) -> bytes:
        """A delta up to its text."""
        name = kind.encode()
        return b'event: %b\ndata: {"type":"%b",%b,"delta":' % (name, name, _encode(place)[1:-1])

    def _delta(self, text: str, logprobs: bytes = b"") -> None:
        self._blocks += (self._delta_head, _encode(text), logprobs, b',"sequence_number":%d}\n\n' % self._number)
        self._number += 1


def _frame(part: OutputPart) -> str:
    """What the events are called that open and close a part."""
    return "response.reasoning_summary_part" if part.kind == "summary_text" else "response.content_part"
