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

__all__ = ["NOTHING_ELSEWHERE", "Elsewhere", "Tallies", "kept_away"]

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


class Elsewhere(msgspec.Struct, frozen=True):
    """What others gave a deployment, and this process before it was started.

    Tokens of the last minute, and requests and tokens of the ``day``, in days since the epoch.
    """

    day: int = -1
    day_requests: int = 0
    day_tokens: int = 0
    minute_input: int = 0
    minute_output: int = 0


NOTHING_ELSEWHERE: Final = Elsewhere()


class Tallies:
    """The tokens of the last minute by direction, and the requests and tokens of the day, of one deployment.

    A day begins at the time of day, in UTC, that the terms say. ``wall`` gives seconds since the epoch. What others
    told of is in ``elsewhere``; what is counted here began at ``since``.
    """

    __slots__ = ("_day", "_input", "_output", "_wall", "day_requests", "day_tokens", "elsewhere", "since", "terms")

    def __init__(self, terms: Terms, wall: Callable[[], float] = SYSTEM_CLOCK.wall) -> None:
        self.terms = terms
        self.day_requests = 0
        self.day_tokens = 0
        self.elsewhere = NOTHING_ELSEWHERE
        self.since = wall()
        self._wall = wall
        self._day = 0
        self._input = SlidingMinute()
        self._output = SlidingMinute()

    def reached(self, wish: Wish, second: int) -> str | None:
        """Which limit the request would go beyond; None: there is room."""
        terms, others = self.terms, self.elsewhere
        if terms.itpm is not None:
            used = self._input.used(second) + others.minute_input
            if used + wish.prompt_tokens > terms.itpm:
                return f"itpm {used}+{wish.prompt_tokens}/{terms.itpm}"
        if terms.otpm is not None:
            used, wanted = self._output.used(second) + others.minute_output, self._reserved(wish.output_limit)
            if used + wanted > terms.otpm:
                return f"otpm {used}+{wanted}/{terms.otpm}"
        if terms.rpd is None and terms.tpd is None:
            return None
        requests, tokens = self._day_used(others)
        if terms.rpd is not None and requests + 1 > terms.rpd:
            return f"rpd {requests}/{terms.rpd}"
        if terms.tpd is not None and tokens >= terms.tpd:
            return f"tpd {tokens}/{terms.tpd}"
        return None

    @property
    def day(self) -> int:
        """The day that is counted now, in days since the epoch."""
        self._turn_over()
        return self._day

    @property
    def counts_days(self) -> bool:
        """Whether there is a limit of a day."""
        return self.terms.rpd is not None or self.terms.tpd is not None

    def minute(self, second: int) -> tuple[int, int]:
        """Input and output tokens that this process gave it in the last minute."""
        return self._input.used(second), self._output.used(second)

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
            room = terms.itpm - self.elsewhere.minute_input
            return float(self._input.seconds_until(wish.prompt_tokens, room, second))
        if word == "otpm" and terms.otpm is not None:
            room = terms.otpm - self.elsewhere.minute_output
            return float(self._output.seconds_until(self._reserved(wish.output_limit), room, second))
        return _DAY_SECONDS - (self._wall() - terms.day_begins) % _DAY_SECONDS

    def _reserved(self, output_limit: int | None) -> int:
        if output_limit is not None or self.terms.otpm is None:
            return output_limit or 0
        return min(_OUTPUT_USUAL, max(1, int(self.terms.otpm * _OUTPUT_SHARE)))

    def _day_used(self, others: Elsewhere) -> tuple[int, int]:
        """Requests and tokens of the day, in all processes."""
        self._turn_over()
        if others.day != self._day:
            return self.day_requests, self.day_tokens
        return self.day_requests + others.day_requests, self.day_tokens + others.day_tokens

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
