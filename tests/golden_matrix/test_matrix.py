"""Every client dialect in front of every wire, in every case; see ``plays`` for what is played.

``pytest tests/golden_matrix --update`` writes the expected files anew: read the difference before keeping it.
"""

from __future__ import annotations

import itertools
import json
import zlib
from typing import Any

import pytest

from pointsman.core.errors import GatewayError
from pointsman.core.upstream import Ask, Outbound
from tests.golden_matrix.clients import CLIENT_ROWS, Client, Seen
from tests.golden_matrix.plays import (
    ANSWERS,
    CASES,
    EXPECTED,
    GAPS,
    Played,
    Stage,
    answer_file,
    body_of,
    fixed_chance,
    gap,
    play,
    transcript,
)
from tests.golden_matrix.wires import WIRES, Wire

ALL = [
    (client, wire, case)
    for client, wire, case in itertools.product(CLIENT_ROWS, WIRES, CASES)
    if gap("ask", client=client, case=case) is None and gap("answer", wire=wire, case=case) is None
]
STREAMED = [
    (client, wire, case)
    for client, wire, case in ALL
    if (ANSWERS / wire / f"{case}.{WIRES[wire].stream_file}").exists()
]
WHOLE = [row for row in STREAMED if row[2] != "error_mid_stream"]

_played: dict[tuple[str, str, str], Played] = {}


def played(row: tuple[str, str, str]) -> Played:
    if row not in _played:
        client, wire, case = row
        _played[row] = play(CLIENT_ROWS[client], WIRES[wire], case)
    return _played[row]


def answered(row: tuple[str, str, str]) -> Played:
    """Played to the end; one that was refused is passed over, since the table and its file speak for it."""
    found = played(row)
    if found.refused is not None:
        assert gap("request", *row) is not None, found.refused.message
    return found


@pytest.mark.parametrize("row", ALL, ids="-".join)
def test_what_is_written_is_what_the_file_says(row: tuple[str, str, str], request: pytest.FixtureRequest) -> None:
    client, wire, case = row
    path = EXPECTED / client / wire / f"{case}.txt"
    text = transcript(played(row))
    if request.config.getoption("--update"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_expected_file_is_left_over() -> None:
    found = {path.relative_to(EXPECTED).with_suffix("").as_posix() for path in EXPECTED.rglob("*.txt")}
    assert found == {"/".join(row) for row in ALL}


@pytest.mark.parametrize(("client", "case"), itertools.product(CLIENT_ROWS, CASES))
def test_every_client_asks_every_case_or_the_table_says_why_not(client: str, case: str) -> None:
    assert (body_of(client, case) is None) == (gap("ask", client=client, case=case) is not None)


@pytest.mark.parametrize(("wire", "case"), itertools.product(WIRES, CASES))
def test_every_wire_answers_every_case_or_the_table_says_why_not(wire: str, case: str) -> None:
    whole, stream = (answer_file(WIRES[wire], case, stream=streamed) for streamed in (False, True))
    if gap("answer", wire=wire, case=case) is not None:
        assert whole is None and stream is None
    else:
        assert (whole is None) == (case == "error_mid_stream")
        assert (stream is None) == (case == "error_before")


@pytest.mark.parametrize("row", ALL, ids="-".join)
def test_only_what_the_table_says_is_refused(row: tuple[str, str, str]) -> None:
    assert (played(row).refused is not None) == (gap("request", *row) is not None)
    assert (played(row).failure is not None) == (row[2] == "error_before")


@pytest.mark.parametrize("entry", GAPS, ids=lambda entry: f"{entry.what}-{entry.client}-{entry.wire}-{entry.case}")
def test_every_entry_of_the_table_is_about_something_and_gives_a_reason(entry: Any) -> None:
    assert len(entry.reason) > 10
    assert entry.client in {"*", *CLIENT_ROWS} and entry.wire in {"*", *WIRES} and entry.case in {"*", *CASES}
    assert sum(other.covers(entry.what, entry.client, entry.wire, entry.case) for other in GAPS) == 1


@pytest.mark.parametrize("row", STREAMED, ids="-".join)
def test_every_stream_keeps_the_grammar(row: tuple[str, str, str]) -> None:
    found = answered(row)
    if found.stream is not None:
        assert CLIENT_ROWS[row[0]].violations(found.stream) == []


def meaning(wire: Wire, case: str) -> Seen:
    """What the wire's own client sees of its answer."""
    return wire.see(json.loads(answer_file(wire, case, stream=False) or b""))


@pytest.mark.parametrize(("wire", "case"), itertools.product(WIRES, CASES))
def test_the_two_files_of_an_answer_say_the_same(wire: str, case: str) -> None:
    stream = answer_file(WIRES[wire], case, stream=True)
    if stream is not None and case != "error_mid_stream":
        assert WIRES[wire].see(WIRES[wire].gather(stream)) == meaning(WIRES[wire], case)


def plain(outbound: Outbound | None) -> Any:
    """A request without what may differ: white space in the arguments of a call, where a text or a sound is cut.

    Only a whole answer of Anthropic's can be cut by its sources, since a stream is told of them behind the text.
    """
    assert outbound is not None
    return json.loads(outbound.body, object_hook=_plain)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    given = fields.get("arguments")
    fields = fields if not isinstance(given, str) else {**fields, "arguments": json.loads(given)}
    return {name: _joined(value) if name in {"content", "parts"} else value for name, value in fields.items()}


def _joined(blocks: Any) -> Any:
    if not isinstance(blocks, list):
        return blocks
    joined: list[Any] = []
    for block in blocks:
        last = joined[-1] if joined else {}
        if "text" in block and block.get("type") == last.get("type") and "text" in last:
            joined[-1] = {**last, "text": last["text"] + block["text"]}
        elif "inlineData" in block and is_sound(block) and is_sound(last):
            sound = last["inlineData"]
            joined[-1] = {"inlineData": {**sound, "data": sound["data"] + block["inlineData"]["data"]}}
        else:
            joined.append(block)
    return joined


def is_sound(block: dict[str, Any]) -> bool:
    return str(block.get("inlineData", {}).get("mimeType", "")).startswith("audio/")


@pytest.mark.parametrize("row", WHOLE, ids="-".join)
def test_streamed_and_whole_answers_say_the_same(row: tuple[str, str, str]) -> None:
    found, client = answered(row), CLIENT_ROWS[row[0]]
    if found.whole is not None and found.stream is not None:
        assert client.see(client.gather(found.stream)) == client.see(json.loads(found.whole))
        assert plain(found.next) == plain(found.next_of_stream)


@pytest.mark.parametrize("row", WHOLE, ids="-".join)
def test_the_client_sees_what_the_wire_said(row: tuple[str, str, str]) -> None:
    found, client, wire = answered(row), CLIENT_ROWS[row[0]], WIRES[row[1]]
    if found.whole is None:
        return
    seen, said = client.see(json.loads(found.whole)), meaning(wire, row[2])
    if gap("noticed", *row) is not None:
        assert said.images and not seen.images
        assert said.text in seen.text and "The model gave an image (image/png)" in seen.text
    elif gap("in_words", *row) is None:
        assert (seen.text + seen.refusal, seen.code) == (said.text + said.refusal, said.code)
    else:
        assert said.code and all(code in seen.text and given in seen.text for code, given in said.code)
    assert seen.sources == ([] if gap("sources", *row) is not None else said.sources)
    assert seen.sounds == said.sounds
    assert seen.images == (said.images if gap("noticed", *row) is None else [])
    assert seen.thinking == (said.thinking if wants_thoughts(row) else "")
    assert [(name, given) for _, name, given in seen.calls] == [(name, given) for _, name, given in said.calls]
    assert all(mine.endswith(theirs) for (mine, *_), (theirs, *_) in zip(seen.calls, said.calls, strict=True))
    assert (seen.prompt, seen.completion) == (said.prompt, said.completion)
    if gap("cached", *row) is None:
        assert seen.cached == said.cached
    else:
        assert seen.cached != said.cached or not said.cached
    assert ending(seen) == ending(said) or (seen.refusal == "" and said.refusal) or client.name == "ollama_chat"


def wants_thoughts(row: tuple[str, str, str]) -> bool:
    """Clients of Gemini are shown the reasoning only where they ask for it."""
    config = (body_of(row[0], row[2]) or {}).get("generationConfig", {})
    return row[0] != "gemini" or bool(config.get("thinkingConfig", {}).get("includeThoughts"))


ENDINGS = {
    "length": {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"},
    "filter": {"content_filter", "refusal", "SAFETY", "guardrail_intervened"},
}


def ending(seen: Seen) -> str:
    return next((name for name, words in ENDINGS.items() if seen.finish in words), "done")


@pytest.mark.parametrize("row", WHOLE, ids="-".join)
def test_signatures_come_back_to_whoever_signed(row: tuple[str, str, str]) -> None:
    found, said = answered(row), meaning(WIRES[row[1]], row[2])
    if found.next is None or not said.signatures:
        return
    kept = [signature for signature in said.signatures if signature.encode() in found.next.body]
    if gap("signature", *row) is None:
        assert kept == said.signatures
    else:
        assert kept != said.signatures


def rotated(wire: str, case: str) -> Client:
    """Each wire's stream of a case is cut at every byte for one client, a different one from case to case."""
    able = [
        client for client in CLIENT_ROWS if (client, wire, case) in STREAMED and played((client, wire, case)).stream
    ]
    return CLIENT_ROWS[able[zlib.crc32(f"{wire}{case}".encode()) % len(able)]]


@pytest.mark.parametrize("row", STREAMED, ids="-".join)
def test_the_pieces_in_which_the_bytes_come_do_not_matter(row: tuple[str, str, str]) -> None:
    client, wire, case = CLIENT_ROWS[row[0]], WIRES[row[1]], row[2]
    expected, stream, body = answered(row).stream, answer_file(wire, case, stream=True), body_of(client.name, case)
    if expected is None or stream is None or body is None:
        return
    for size in (1, 7, 1000):
        with fixed_chance():
            pieces = [stream[place : place + size] for place in range(0, len(stream), size)]
            assert Stage(client, wire).stream(body, pieces) == expected


def cut(stage: Stage, ask: Ask, stream: bytes) -> bytes | None:
    """The client's bytes of a stream that breaks off; None where nothing was sent before the error."""
    answer = stage.lane.answer(ask)
    out = []
    try:
        out.append(answer.feed(stream))
        out.append(answer.end())
    except GatewayError as error:
        if not any(out):
            return None
        out.append(answer.failed(error))
    return b"".join(out)


@pytest.mark.parametrize(("wire", "case"), sorted({(wire, case) for _, wire, case in STREAMED}))
def test_a_stream_cut_at_any_byte_ends_in_an_error_within_the_grammar(wire: str, case: str) -> None:
    client = rotated(wire, case)
    stage, body, stream = (
        Stage(client, WIRES[wire]),
        body_of(client.name, case),
        answer_file(WIRES[wire], case, stream=True),
    )
    assert body is not None and stream is not None
    ask, _ = stage.ask(body, stream=True)
    checked: set[bytes] = set()
    for place in range(len(stream)):
        written = cut(stage, ask, stream[:place])
        if written is not None and written not in checked:
            checked.add(written)
            assert client.violations(written) == []
    assert checked
