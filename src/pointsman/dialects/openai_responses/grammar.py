"""The grammar of a stream of a response: what clients may rely on, as a checker for any server's stream.

Rules, for a stream that was answered with status 200:

* Every event has a name, and its data is a JSON object whose ``type`` is that name; ``sequence_number`` counts the
  events from 0. Comments may stand anywhere; there is no ``[DONE]``.
* ``response.created`` comes first, ``response.in_progress`` second, both without output; the last is one of
  ``response.completed``, ``response.incomplete`` and ``response.failed``. Id, model and time are the same in all, and
  ``status`` says what the event says. Or ``error`` ends the stream, wherever it stands.
* Items follow one another: ``output_item.added`` opens the next, without content, ``output_item.done`` closes it. So do
  the parts within an item. Each event names the item and the part that is open, and no other.
* What the deltas of a part or a call say, put together, is what its ``done`` says, and what the item and the last
  response say.
* Annotations of a text are told one by one, before it is closed, and are those that it has then.
* A call that is complete has a JSON object as its arguments; ids of items and of calls are unique.
* A call of a tool that the provider runs goes through its steps in their order, and ends with the last one unless it
  was cut off; its code is what the deltas say.
* The last response has exactly the items that were closed, an answer that did not fail has all of them closed and
  usage, whose sum is right; ``incomplete_details`` is there if it is incomplete, ``error`` if it failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from pointsman.dialects.stream_checks import UNREADABLE, EventStreamChecker, Violation, is_json_object
from pointsman.wire.sse import ServerSentEvent

__all__ = ["check", "violations"]

_Fields = dict[str, Any]

_ENDINGS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_EMPTY: Final[dict[str, _Fields]] = {
    "message": {"role": "assistant", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "code_interpreter_call": {"code": ""},
}
"""What an item of each type has when it is opened."""

_CALLS: Final = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}
_STEPS: Final = {
    "code_interpreter_call": (
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call_code.delta",
        "response.code_interpreter_call_code.done",
        "response.code_interpreter_call.interpreting",
        "response.code_interpreter_call.completed",
    ),
    "web_search_call": (
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
    ),
    "image_generation_call": (
        "response.image_generation_call.in_progress",
        "response.image_generation_call.generating",
        "response.image_generation_call.partial_image",
        "response.image_generation_call.completed",
    ),
}
"""What is told of a tool that the provider runs, in this order."""

_PARTS: Final = {
    "output_text": ("response.output_text", "text", "content"),
    "refusal": ("response.refusal", "refusal", "content"),
    "summary_text": ("response.reasoning_summary_text", "text", "summary"),
    "reasoning_text": ("response.reasoning_text", "text", "content"),
}
"""For each type of part: its events, the field with its words, and where its item keeps it."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def violations(stream: bytes) -> list[str]:
    """What is wrong with a whole stream, in words; empty if nothing is."""
    return [str(one) for one in check(stream)]


def check(stream: bytes) -> list[Violation]:
    """What is wrong with a whole stream, and what was expected; empty if nothing is."""
    return _Checker().check(stream)


class _Checker(EventStreamChecker):
    """Holds what has been seen of one stream, and what was wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self._first: _Fields | None = None
        self._ended = False
        self._done: list[_Fields] = []
        self._ids: set[str] = set()
        self._item: _Fields | None = None
        self._part: _Fields | None = None
        self._words = ""

    def take(self, event: ServerSentEvent) -> None:
        """One event."""
        self._taken += 1
        try:
            data = _decode(event.data)
        except UNREADABLE as problem:
            self._object(f"the data is no JSON object: {problem}", "a JSON object")
            return
        kind = data.get("type")
        if not isinstance(kind, str) or kind != event.event:
            self._object(f"the type {kind!r} is not the name {event.event!r}", "the event's name to be its data's type")
            return
        if data.get("sequence_number") != self._taken - 1:
            self._object(
                f"sequence_number is {data.get('sequence_number')!r}", f"{self._taken - 1}, counting the events from 0"
            )
        if self._ended:
            self._object("something follows the end", "nothing after the response that ended, or an error")
        try:
            self._check(kind, data)
        except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as problem:
            self._object(
                f"{kind} lacks a field or has one of a wrong type: {problem!r}",
                "the fields that the API gives this event",
            )

    def finish(self) -> None:
        """The end of the stream."""
        if not self._ended:
            self.miss(
                "the stream does not end with a response that ended, nor with an error",
                f"{', '.join(sorted(_ENDINGS))} or error at the end",
            )

    def _demand(self, right: object, text: str, expected: str) -> None:
        if not right:
            self._object(text, expected)

    def _check(self, kind: str, data: _Fields) -> None:
        if kind == "error":
            self._demand(isinstance(data["message"], str), "an error without words", "a message")
            self._ended = True
            return
        expected = {1: "response.created", 2: "response.in_progress"}.get(self._taken)
        if expected is not None or kind in {"response.created", "response.in_progress"}:
            self._demand(
                kind == expected,
                f"{kind} is event {self._taken}",
                "response.created first, response.in_progress second, and nowhere else",
            )
        if kind in _ENDINGS or "response" in data:
            self._check_response(kind, data["response"])
        else:
            self._check_content(kind, data)

    def _check_response(self, kind: str, response: _Fields) -> None:
        first = self._first = self._first or response
        for name in ("id", "object", "model", "created_at"):
            self._demand(
                response[name] == first[name], f"{name} has changed", f"that of the first event, {first[name]!r}"
            )
        self._demand(response["object"] == "response", f"object is {response['object']!r}", "response")
        status = kind.removeprefix("response.").replace("created", "in_progress")
        self._demand(response["status"] == status, f"the status is {response['status']!r}", status)
        self._demand(
            bool(response["error"]) == (status == "failed"),
            "error does not go with the status",
            "error if the status is failed, and only then",
        )
        details = bool(response["incomplete_details"])
        self._demand(
            details == (status == "incomplete"),
            "incomplete_details do not go with the status",
            "incomplete_details if the status is incomplete, and only then",
        )
        self._demand(
            response["output"] == self._done,
            "the output is not what was told",
            f"the {len(self._done)} items as output_item.done told them",
        )
        self._ended = kind in _ENDINGS
        if self._ended and status != "failed":
            self._demand(self._item is None, "an item is left open", "output_item.done of every item before the end")
            usage = response["usage"]
            total = usage["input_tokens"] + usage["output_tokens"]
            self._demand(usage["total_tokens"] == total, "the sum of the usage is wrong", f"total_tokens {total}")

    def _check_content(self, kind: str, data: _Fields) -> None:
        if kind == "response.output_item.added":
            self._open_item(data)
            return
        item = self._item
        if item is None:
            self._object(f"{kind} while no item is open", "response.output_item.added before what an item says")
            return
        if data["output_index"] != len(self._done):
            self._object(f"output_index is {data['output_index']} in item {len(self._done)}", str(len(self._done)))
        if kind == "response.output_item.done":
            self._close_item(item, data["item"])
            return
        self._demand(data["item_id"] == item["id"], "the item is not the one that is open", f"item_id {item['id']!r}")
        if item["type"] in _STEPS:
            self._check_step(item, kind, data)
        elif item["type"] in _CALLS:
            self._check_words(kind, data, *_CALLS[item["type"]], self._close_call)
        elif kind in {"response.content_part.added", "response.reasoning_summary_part.added"}:
            self._open_part(item, kind, data)
        elif self._part is None:
            self._object(f"{kind} while no part is open", "the part's added event before what it says")
        else:
            self._check_part(item, self._part, kind, data)

    def _open_item(self, data: _Fields) -> None:
        item = data["item"]
        self._demand(
            self._item is None, "an item begins while another is open", "output_item.done of the open item first"
        )
        self._demand(
            data["output_index"] == len(self._done), f"output_index is {data['output_index']}", str(len(self._done))
        )
        for name, value in _EMPTY.get(item["type"], {}).items():
            self._demand(
                item[name] == value,
                f"the item begins with {name} {item[name]!r}",
                f"{value!r}: the rest comes as deltas",
            )
        self._demand(
            item.get("status", "in_progress") == "in_progress",
            "the item does not begin in progress",
            "the status in_progress",
        )
        for name in ("id", "call_id"):
            if name in item:
                self._demand(
                    item[name] not in self._ids,
                    f"{name} {item[name]!r} is that of another",
                    f"a {name} that nothing else has",
                )
                self._ids.add(item[name])
        self._item, self._part, self._words = {**item, "over": False}, None, ""

    def _close_item(self, item: _Fields, done: _Fields) -> None:
        self._demand(
            self._part is None,
            "the item is closed while a part is open",
            "the part's done event before output_item.done",
        )
        self._demand(
            done.get("status") != "in_progress",
            "the item is done and in progress",
            "the status completed or incomplete",
        )
        kind = item["type"]
        if kind in _CALLS:
            self._demand(
                item["over"],
                "the call is closed before its arguments are",
                f"{_CALLS[kind][0]}.done before output_item.done",
            )
            names = ["id", "type", "call_id", "name", _CALLS[kind][1]]
        else:
            names = ["id", "type", *_EMPTY.get(kind, {})]
        for name in names:
            self._demand(
                done[name] == item[name],
                f"the {name} of the item is not what was told",
                "what the item's events said, put together",
            )
        if kind in _STEPS and done["status"] == "completed":
            self._demand(
                item.get("step") == len(_STEPS[kind]) - 1,
                "the item is closed before its last step",
                f"{_STEPS[kind][-1]} before output_item.done",
            )
        if kind == "function_call" and done["status"] == "completed":
            self._demand(
                is_json_object(done["arguments"]),
                "the arguments are not a JSON object",
                "deltas that make up a JSON object",
            )
        self._done.append(done)
        self._item = None

    def _check_step(self, item: _Fields, kind: str, data: _Fields) -> None:
        steps = _STEPS[item["type"]]
        place = steps.index(kind) if kind in steps else -1
        self._demand(
            place >= item.get("step", 0), f"{kind} has no place here", f"the steps in their order: {', '.join(steps)}"
        )
        item["step"] = place
        if kind.endswith("_code.delta"):
            item["code"] += data["delta"]
        elif kind.endswith("_code.done"):
            self._demand(
                data["code"] == item["code"], "the code is not what its pieces were", "the deltas, put together"
            )

    def _open_part(self, item: _Fields, kind: str, data: _Fields) -> None:
        part = data["part"]
        _, words, place = _PARTS[part["type"]]
        self._demand(self._part is None, "a part begins while another is open", "the done event of the open part first")
        self._demand(
            kind == _frame(part, "added"), f"{kind} opens a part of type {part['type']!r}", _frame(part, "added")
        )
        index = data[_index_name(part)]
        self._demand(
            index == len(item[place]),
            f"part {index} comes after {len(item[place])} others",
            f"index {len(item[place])}",
        )
        self._demand(part[words] == "", "a part begins with words", "no words yet: they come as deltas")
        self._part, self._words = {**part, "over": False}, ""

    def _check_part(self, item: _Fields, part: _Fields, kind: str, data: _Fields) -> None:
        events, words, place = _PARTS[part["type"]]
        index = data.get(_index_name(part))
        self._demand(
            index == len(item[place]),
            f"{kind} names part {index!r}, not the one that is open",
            f"{_index_name(part)} {len(item[place])}",
        )
        if kind == _frame(part, "done"):
            self._demand(
                part["over"], "the part is closed before its words are", f"{events}.done before the part's done event"
            )
            self._demand(
                data["part"][words] == self._words, "the part is not what was told", "the deltas, put together"
            )
            told = part.get("annotations", [])
            self._demand(
                data["part"].get("annotations", []) == told,
                "the annotations are not what was told",
                "the annotations that were told one by one",
            )
            item[place] = [*item[place], data["part"]]
            self._part = None
        elif kind == "response.output_text.annotation.added" and part["type"] == "output_text":
            annotations = part["annotations"]
            self._demand(
                data["annotation_index"] == len(annotations),
                "the annotations are not counted",
                f"annotation_index {len(annotations)}",
            )
            part["annotations"] = [*annotations, data["annotation"]]
        else:
            self._check_words(kind, data, events, words, self._close_words)

    def _check_words(self, kind: str, data: _Fields, events: str, words: str, close: Callable[[str], None]) -> None:
        over = (self._part or self._item or {}).get("over")
        self._demand(not over, f"{kind} comes after the words were done", f"no {events} after {events}.done")
        if kind == f"{events}.delta":
            self._words += data["delta"]
        elif kind == f"{events}.done":
            self._demand(
                data[words] == self._words, "the whole is not what its pieces were", "the deltas, put together"
            )
            close(words)
        else:
            self._object(f"{kind} has no place here", f"{events}.delta or {events}.done")

    def _close_words(self, _: str) -> None:
        if self._part is not None:
            self._part["over"] = True

    def _close_call(self, words: str) -> None:
        if self._item is not None:
            self._item["over"] = True
            self._item[words] = self._words


def _frame(part: _Fields, what: str) -> str:
    name = "reasoning_summary_part" if part["type"] == "summary_text" else "content_part"
    return f"response.{name}.{what}"


def _index_name(part: _Fields) -> str:
    return "summary_index" if part["type"] == "summary_text" else "content_index"
