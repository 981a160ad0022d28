"""Whatever bytes an upstream sends, a client gets a stream within the grammar of its dialect, or a typed error.

The answers of the matrix are changed: bytes, and values inside their JSON. Nothing but a ``GatewayError`` may come out,
and what is written stays in proportion to what was read.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core.errors import GatewayError
from tests.golden_matrix.clients import CLIENT_ROWS
from tests.golden_matrix.plays import CASES, Stage, answer_file, body_of, gap, written_stream
from tests.golden_matrix.wires import WIRES, Wire

ROWS = [
    (client, wire, case)
    for client in CLIENT_ROWS
    for wire in WIRES
    for case in CASES
    if gap("ask", client=client, case=case) is None
    and gap("answer", wire=wire, case=case) is None
    and answer_file(WIRES[wire], case, stream=True) is not None
]
GROWTH_MAX = 40
"""A frame of the client's may be so many times as long as one of the upstream's, which can be as short as a letter."""

DEEP = "[" * 2000 + "]" * 2000
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    2**63,
    -(2**63),
    10**400,
    1e308,
    -0.5,
    "",
    "\ud800",
    "\x00",
    "a" * 5000,
    [],
    {},
    [None],
    [[]],
    {"": None},
    "[DONE]",
    "stop",
    "tool_use",
]


DAMAGE = [b"\xff\xfe", b"\xed\xa0\x80", b"\n\n", b"\r", b'"', b"{", b"0" * 400]


def encoded(value: Any) -> str:
    """JSON, with a lone surrogate as it would be escaped."""
    return json.dumps(value)


def between(wire: Wire) -> bytes:
    return b"\n\n" if wire.stream_file == "sse" else b"\n"


def frames(wire: Wire, stream: bytes) -> list[bytes]:
    return stream.split(between(wire))


def joined(wire: Wire, parts: list[bytes]) -> bytes:
    return between(wire).join(parts)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands inside of a JSON value."""
    found = [path]
    if isinstance(value, dict):
        found += [place for name, one in value.items() for place in places(one, (*path, name))]
    elif isinstance(value, list):
        found += [place for index, one in enumerate(value) for place in places(one, (*path, index))]
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {name: replaced(one, path[1:], new) if name == path[0] else one for name, one in value.items()}
    return [replaced(one, path[1:], new) if index == path[0] else one for index, one in enumerate(value)]


@st.composite
def changed_inside(draw: st.DrawFn, wire: Wire, stream: bytes) -> bytes:
    """A value somewhere in one frame is another, or the frame comes twice, later, or not at all."""
    parts = frames(wire, stream)
    place = draw(st.integers(0, len(parts) - 1))
    head, brace, text = parts[place].partition(b"{")
    try:
        data = json.loads(brace + text)
    except ValueError:
        return joined(wire, [*parts[:place], *draw(st.permutations(parts[place:]))])
    path = draw(st.sampled_from(places(data)))
    kind = draw(st.sampled_from(["value", "deep", "twice", "none", "last"]))
    if kind == "value":
        parts[place] = head + encoded(replaced(data, path, draw(st.sampled_from(VALUES)))).encode()
    elif kind == "deep":
        parts[place] = head + encoded(replaced(data, path, "@@")).replace('"@@"', DEEP).encode()
    elif kind == "twice":
        parts.insert(place, parts[place])
    else:
        gone = parts.pop(place)
        if kind == "last":
            parts.append(gone)
    return joined(wire, parts)


@st.composite
def changed_bytes(draw: st.DrawFn, stream: bytes) -> bytes:
    """A few bytes are others, too many, or too few."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(stream)))
        length = draw(st.integers(0, 20))
        new = draw(st.binary(max_size=8) | st.sampled_from(DAMAGE))
        stream = stream[:place] + new + stream[place + length :]
    return stream


def demand_well_behaved(row: tuple[str, str, str], stream: bytes) -> None:
    client, wire, case = CLIENT_ROWS[row[0]], WIRES[row[1]], row[2]
    body = body_of(client.name, case)
    assert body is not None
    try:
        written = Stage(client, wire).stream(body, [stream[:100], stream[100:]])
    except GatewayError:
        return
    # A model may write arguments that are none, and where they are text they are told as they come.
    assert [found for found in client.violations(written) if "not a JSON object" not in found] == []
    assert len(written) < 20_000 + GROWTH_MAX * len(stream)


@pytest.mark.parametrize("wire", ["anthropic_messages", "bedrock", "vertex_claude"])
def test_a_call_that_begins_twice_is_two_calls(wire: str) -> None:
    parts = frames(WIRES[wire], written_stream(WIRES[wire], "thinking_then_tool"))
    begun = next(part for part in parts if b'"get_weather"' in part)
    parts.insert(parts.index(begun), begun)
    demand_well_behaved(("ollama_chat", wire, "thinking_then_tool"), WIRES[wire].send(joined(WIRES[wire], parts)))


hostile = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@hostile
@given(st.data(), st.sampled_from(ROWS))
def test_values_that_nobody_would_send(data: st.DataObject, row: tuple[str, str, str]) -> None:
    wire = WIRES[row[1]]
    changed = data.draw(changed_inside(wire, written_stream(wire, row[2])))
    demand_well_behaved(row, wire.send(changed))


@hostile
@given(st.data(), st.sampled_from(ROWS))
def test_bytes_that_were_damaged(data: st.DataObject, row: tuple[str, str, str]) -> None:
    stream = answer_file(WIRES[row[1]], row[2], stream=True)
    assert stream is not None
    demand_well_behaved(row, data.draw(changed_bytes(stream)))


@hostile
@given(st.data(), st.sampled_from(ROWS))
def test_whole_answers_that_were_changed(data: st.DataObject, row: tuple[str, str, str]) -> None:
    client, wire, case = CLIENT_ROWS[row[0]], WIRES[row[1]], row[2]
    whole, body = answer_file(wire, case, stream=False), body_of(client.name, case)
    if whole is None or body is None:
        return
    told = json.loads(whole)
    path = data.draw(st.sampled_from(places(told)))
    value = data.draw(st.sampled_from(VALUES))
    changed = encoded(replaced(told, path, value)).encode()
    try:
        written = Stage(client, wire).answer(body, stream=False).whole(changed)
    except GatewayError:
        return
    json.loads(written)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("filling", "megabytes"), [(b"x", 9), (b"\n", 1), (b" ", 9), (b"data: ", 9), (b"{", 9)])
def test_a_stream_without_end_is_given_up_within_its_bound(wire: str, filling: bytes, megabytes: int) -> None:
    """Nine megabytes of what completes no event: an event may have eight. Empty lines are part of none."""
    body = body_of("openai_chat", "text")
    assert body is not None
    answer = Stage(CLIENT_ROWS["openai_chat"], WIRES[wire]).answer(body, stream=True)

    def feed_all() -> None:
        for _ in range(megabytes):
            assert answer.feed(filling * (1024 * 1024 // len(filling))) == b""
        answer.end()

    with pytest.raises(GatewayError):
        feed_all()
