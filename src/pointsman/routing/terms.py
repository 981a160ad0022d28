"""What keeps a request from a deployment that has :class:`~pointsman.core.terms.Terms`, and what is counted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from pointsman.accounting.windows import SlidingMinute
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.terms import AccessWindow, Terms
from pointsman.core.upstream import Operation
from pointsman.core.usage import Usage
from pointsman.routing.wish import Wish

__all__ = ["Tallies", "kept_away"]

_DAY_SECONDS: Final = 86_400
_OUTPUT_USUAL: Final = 4_096
_OUTPUT_SHARE: Final = 0.25
"""Without a bound of the request so much of ``otpm`` is reserved, as in LiteLLM."""

_CONVERSATIONS: Final = {
    Operation.CHAT: "chat/completions",
    Operation.COMPLETION: "completions",
    Operation.MESSAGES: "messages",
    Operation.RESPONSES: "responses",
    Operation.COMPACTION: "responses/compact",
    Operation.GEMINI_CHAT: "generatecontent",
    Operation.GEMINI_STREAM: "streamgeneratecontent",
    Operation.GEMINI_ARRAY_STREAM: "streamgeneratecontent",
    Operation.OLLAMA_CHAT: "chat/completions",
    Operation.OLLAMA_GENERATE: "chat/completions",
    Operation.OLLAMA_COMPLETION: "completions",
}
_INPUTS: Final = {
    Operation.EMBEDDING: "input",
    Operation.OLLAMA_EMBED: "input",
    Operation.GEMINI_BATCH_EMBED: "requests",
}

_decode_inputs: Final = msgspec.json.Decoder(tuple[msgspec.Raw, ...]).decode


class Tallies:
    """The tokens of the last minute by direction, and the requests and tokens of the day, of one deployment.

    A day begins at the time of day, in UTC, that the terms say. ``wall`` gives seconds since the epoch.
    """

    __slots__ = ("_day", "_input", "_output", "_wall", "day_requests", "day_tokens", "terms")

    def __init__(self, terms: Terms, wall: Callable[[], float] = SYSTEM_CLOCK.wall) -> None:
        self.terms = terms
        self.day_requests = 0
        self.day_tokens = 0
        self._wall = wall
        self._day = 0
        self._input = SlidingMinute()
        self._output = SlidingMinute()

    def reached(self, wish: Wish, second: int) -> str | None:
        """Which limit the request would go beyond; None: there is room."""
        terms = self.terms
        if terms.itpm is not None and (used := self._input.used(second)) + wish.prompt_tokens > terms.itpm:
            return f"itpm {used}+{wish.prompt_tokens}/{terms.itpm}"
        if terms.otpm is not None:
            used, wanted = self._output.used(second), self._reserved(wish.output_limit)
            if used + wanted > terms.otpm:
                return f"otpm {used}+{wanted}/{terms.otpm}"
        self._turn_over()
        if terms.rpd is not None and self.day_requests + 1 > terms.rpd:
            return f"rpd {self.day_requests}/{terms.rpd}"
        if terms.tpd is not None and self.day_tokens >= terms.tpd:
            return f"tpd {self.day_tokens}/{terms.tpd}"
        return None

    def began(self, prompt: int, output_limit: int | None, second: int) -> None:
        """A request was given to the deployment."""
        self._turn_over()
        self.day_requests += 1
        self._input.add(prompt, second)
        self._output.add(self._reserved(output_limit), second)

    def ended(self, prompt: int, output_limit: int | None, usage: Usage, began: int, second: int) -> None:
        """It has ended well: what it used counts in place of what was expected. What a cache had, for no minute."""
        self._turn_over()
        self.day_tokens += usage.prompt + usage.completion
        self._input.replace(prompt, began, usage.prompt - usage.cached, second)
        self._output.replace(self._reserved(output_limit), began, usage.completion, second)

    def seconds_until(self, word: str, wish: Wish, second: int) -> float:
        """How long until what stands against the request may have passed."""
        terms = self.terms
        if word == "itpm" and terms.itpm is not None:
            return float(self._input.seconds_until(wish.prompt_tokens, terms.itpm, second))
        if word == "otpm" and terms.otpm is not None:
            return float(self._output.seconds_until(self._reserved(wish.output_limit), terms.otpm, second))
        return _DAY_SECONDS - (self._wall() - terms.day_begins) % _DAY_SECONDS

    def _reserved(self, output_limit: int | None) -> int:
        if output_limit is not None or self.terms.otpm is None:
            return output_limit or 0
        return min(_OUTPUT_USUAL, max(1, int(self.terms.otpm * _OUTPUT_SHARE)))

    def _turn_over(self) -> None:
        day = int(self._wall() - self.terms.day_begins) // _DAY_SECONDS
        if day != self._day:
            self._day, self.day_requests, self.day_tokens = day, 0, 0


def kept_away(terms: Terms, wish: Wish, wall: float) -> str | None:
    """Why the deployment is not for the request: a word, and what there is to say about it; None: it is."""
    windows = [one for one in terms.windows if _is_open(one, wall)]
    if windows and not any(wish.team_id in one.team_ids for one in windows):
        return f"reserved until {windows[0].end:%H:%M} {windows[0].zone}"
    if terms.endpoints:
        asked = _CONVERSATIONS.get(wish.operation)
        served = {_path(one) for one in terms.endpoints}
        if asked is not None and served.isdisjoint(_CONVERSATIONS.values()):
            return f"endpoints {','.join(terms.endpoints)}"
    if terms.embedding_inputs_max is not None and (count := _inputs(wish)) > terms.embedding_inputs_max:
        return f"batch {count}/{terms.embedding_inputs_max}"
    return None


def _is_open(window: AccessWindow, wall: float) -> bool:
    now = datetime.fromtimestamp(wall, window.zone).time()
    if window.start < window.end:
        return window.start <= now < window.end
    return now >= window.start or now < window.end


def _path(endpoint: str) -> str:
    """``/v1/chat/completions`` and ``/chat/completions`` are the same, ``models/x:generateContent`` is its method."""
    path = endpoint.strip().strip("/").casefold().rpartition(":")[2]
    for prefix in ("openai/", "v1beta/", "v1/"):
        path = path.removeprefix(prefix)
    return path


def _inputs(wish: Wish) -> int:
    """How many texts are to be embedded; an array of numbers is one, in tokens."""
    raw = wish.fields.get(_INPUTS.get(wish.operation, ""))
    if raw is None:
        return 0
    try:
        items = _decode_inputs(raw)
    except msgspec.ValidationError:
        return 1
    return 1 if items and bytes(items[0])[:1].isdigit() else len(items)
