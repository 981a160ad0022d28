"""The loads, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SCENARIOS", "Scenario", "scenarios_named"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load that every contender is put under.

    Attributes:
        name: as on the command line.
        title: one line for people.
        body: which request body.
        connections: client connections; in a closed loop also the requests in flight.
        gap_us: pause of the upstream between two events of a stream.
        rate: requests per second of an open loop; 0 for a closed one.
        stretch: its windows last this many times ``--seconds``.
        with_direct: whether the upstream is also measured without any gateway.
        beside: the scenario of the express lane that this one, of the translated lane, is held against; only Pointsman
            takes part.
        for_slow: this scenario exists for contenders that cannot be asked for ``rate`` of the main one.
    """

    name: str
    title: str
    body: Literal["small", "large", "stream", "messages", "messages-stream", "claude", "claude-stream"]
    connections: int
    gap_us: int = 0
    rate: float = 0
    stretch: float = 1
    with_direct: bool = False
    for_slow: bool = False
    beside: str = ""

    @property
    def streams(self) -> bool:
        """Whether replies are event streams."""
        return self.body.endswith("stream")


SCENARIOS = (
    Scenario("chat-small", "290 B request, closed loop, 48 connections", "small", 48, with_direct=True),
    Scenario("chat-large", "8 KB request, closed loop, 48 connections", "large", 48),
    Scenario("equal-rate", "290 B request, open loop, 5,000 per second", "small", 96, rate=5_000),
    Scenario("stream-packed", "stream of 52 events back to back, 48 at a time", "stream", 48, with_direct=True),
    Scenario(
        "stream-paced", "stream of 52 events 5 ms apart, 100 at a time", "stream", 100, gap_us=5000, with_direct=True
    ),
    Scenario(
        "low-rate", "290 B request, open loop, 200 per second", "small", 32, rate=200, stretch=2, with_direct=True
    ),
    Scenario(
        "lowest-rate",
        "290 B request, open loop, 10 per second",
        "small",
        32,
        rate=10,
        stretch=3,
        with_direct=True,
        for_slow=True,
    ),
    Scenario("messages-small", "the same from Anthropic's dialect to OpenAI's", "messages", 48, beside="chat-small"),
    Scenario("claude-small", "the same from OpenAI's dialect to Anthropic's", "claude", 48, beside="chat-small"),
    Scenario(
        "messages-packed",
        "52 events, OpenAI's dialect to Anthropic's",
        "messages-stream",
        48,
        beside="stream-packed",
    ),
    Scenario(
        "claude-packed", "52 events, Anthropic's dialect to OpenAI's", "claude-stream", 48, beside="stream-packed"
    ),
    Scenario("messages-paced", "the same, 5 ms apart", "messages-stream", 100, gap_us=5000, beside="stream-paced"),
    Scenario("claude-paced", "the same, 5 ms apart", "claude-stream", 100, gap_us=5000, beside="stream-paced"),
)


def scenarios_named(names: tuple[str, ...]) -> list[Scenario]:
    """Those of the names, in the order of :data:`SCENARIOS`."""
    return [scenario for scenario in SCENARIOS if scenario.name in names]
