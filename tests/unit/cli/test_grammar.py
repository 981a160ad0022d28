"""``pointsman grammar`` judges recorded streams of every dialect, whoever recorded them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.main import cli
from pointsman.dialects.grammars import DIALECTS, check

EXPECTED = Path(__file__).parents[2] / "golden_matrix" / "expected"
CASES = ["text", "parallel_tools", "thinking_then_tool"]


def recorded(dialect: str, case: str = "text") -> list[bytes]:
    """The events, or lines, of a stream that the golden matrix keeps."""
    transcript = (EXPECTED / dialect / "anthropic_messages" / f"{case}.txt").read_bytes()
    stream = transcript.partition(b"# client's stream\n\n")[2].partition(b"\n\n# upstream's")[0]
    if dialect == "ollama_chat":
        return [line + b"\n" for line in stream.splitlines()]
    return [event + b"\n\n" for event in stream.split(b"\n\n")]


def run(dialect: str, stream: bytes | list[bytes], *options: str) -> Result:
    body = stream if isinstance(stream, bytes) else b"".join(stream)
    return CliRunner().invoke(cli, ["grammar", dialect, *options], input=body)


def told(dialect: str, stream: bytes | list[bytes], *options: str) -> dict[str, Any]:
    done = run(dialect, stream, "--json", *options)
    report: dict[str, Any] = json.loads(done.output)
    assert done.exit_code == (0 if report["valid"] else 1)
    return report


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_good_stream_passes(dialect: str, case: str) -> None:
    stream = recorded(dialect, case)
    assert len(stream) > 1
    assert told(dialect, stream) == {"dialect": dialect, "valid": True, "count": 0, "violations": []}
    assert f"A stream of {dialect}" in run(dialect, stream).output


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_is_cut_fails(dialect: str) -> None:
    stream = recorded(dialect)
    for cut in (stream[:-1], stream[:1], b"".join(stream)[:-30]):
        assert "expected: " in run(dialect, cut).output
        assert run(dialect, cut).exit_code == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_in_another_order_fails(dialect: str) -> None:
    stream = recorded(dialect)
    assert not told(dialect, [stream[-1], *stream[1:-1], stream[0]])["valid"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_that_comes_twice_is_named_with_its_number_and_line(dialect: str) -> None:
    stream = recorded(dialect)
    first = told(dialect, [*stream, stream[-1]])["violations"][0]
    assert first["number"] == len(stream) + 1
    assert first["line"] == b"".join(stream).count(b"\n") + 1
    assert first["piece"] == ("line" if dialect == "ollama_chat" else "event")
    assert first["found"] and first["expected"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("body", [b"", b"\n\n", b'{"error":{"message":"Wrong key."}}'])
def test_what_is_no_stream_fails(dialect: str, body: bytes) -> None:
    assert not told(dialect, body)["valid"]


def test_the_stream_of_another_dialect_fails() -> None:
    for dialect in DIALECTS:
        assert [other for other in DIALECTS if not check(other, b"".join(recorded(dialect)))] == [dialect]


def test_a_file_is_read_and_lines_are_counted_whatever_ends_them(tmp_path: Path) -> None:
    stream = b": hello\r\n\r\n" + b"".join(recorded("openai_chat")).replace(b"\n", b"\r\n")
    file = tmp_path / "stream.sse"
    file.write_bytes(stream)
    assert CliRunner().invoke(cli, ["grammar", "openai_chat", str(file)]).exit_code == 0
    file.write_bytes(stream.replace(b'"object":"chat.completion.chunk"', b'"object":"chunk"', 1))
    done = CliRunner().invoke(cli, ["grammar", "openai_chat", str(file)])
    assert done.exit_code == 1
    assert done.output.startswith("event 1 (line 3): object is 'chunk'\n    expected: chat.completion.chunk\n")


def test_an_array_of_geminis_is_known_by_itself() -> None:
    answers = [event.removeprefix(b"data: ").strip() for event in recorded("gemini")]
    assert told("gemini", b"[" + b",\r\n".join(answers) + b"]")["valid"]
    broken = told("gemini", b"[" + b",\r\n".join([*answers, answers[-1]]) + b"]")
    assert broken["violations"][0]["piece"] == "element"
    assert broken["violations"][0]["number"] == len(answers) + 1


def test_the_first_violations_are_shown_and_all_are_counted() -> None:
    stream = [recorded("openai_chat")[-1]] * 30
    assert run("openai_chat", stream, "--limit", "2").output.count("expected: ") == 2
    assert run("openai_chat", stream, "--limit", "2").output.endswith("30 violations of openai_chat, 28 not shown\n")
    assert len(told("openai_chat", stream, "--limit", "0")["violations"]) == 30


def test_it_explains_itself_and_knows_its_dialects() -> None:
    explained = CliRunner().invoke(cli, ["grammar", "--help"])
    assert explained.exit_code == 0
    assert all(dialect in explained.output for dialect in DIALECTS)
    assert run("openai", b"").exit_code == 2
