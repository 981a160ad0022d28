"""The parts of the harness that decide what is said: comparing replies, pairing windows, rejecting contended ones."""
# ruff: noqa: D103 (the name of a test is its documentation)

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import native
from harness.bodies import CHAT, KINDS, MESSAGES, write_bodies
from harness.chart import Panel, render
from harness.load import Load, LoadResult, Quantiles, run_load
from harness.options import CONTENDER_NAMES, parse
from harness.replies import check_direct, check_reply, fetch, meaning_of
from harness.rounds import DIRECT, ScenarioResult
from harness.scenarios import SCENARIOS
from harness.soak import slope
from harness.summary import figures_of, summarise
from harness.upstream import Upstream, start_upstream
from harness.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTHING = Quantiles(0, 0, 0, 0, 0)


def window(contender: str, round_number: int, cpu_s: float, *, p50: float = 100, foreign: float = 0) -> Window:
    latency = Quantiles(p50, p50, p50, p50, p50)
    load = LoadResult(1000, 1000, 0, 0, 0, 48, 0, 1.0, 0.1, latency, latency, NOTHING, 0)
    return Window(contender, "chat-small", round_number, load, cpu_s, cpu_s, foreign, 0, 0, 0.2, 0, 1000, ())


def test_ratio_is_paired_within_a_round_not_made_of_medians() -> None:
    windows = [
        *(window("nginx", number, cpu) for number, cpu in enumerate([0.01, 0.02, 0.04])),
        *(window("pointsman", number, cpu) for number, cpu in enumerate([0.04, 0.02, 0.08])),
    ]
    figures = summarise([ScenarioResult(SCENARIOS[0], windows, {})])
    own = figures_of(figures, "chat-small", "pointsman")
    assert own is not None
    assert own.cpu_to_nginx == pytest.approx(2.0)
    assert own.cpu_us_per_request == pytest.approx(40.0)


def test_contended_rounds_count_only_when_there_are_no_others() -> None:
    spoilt = [window("nginx", 0, 0.01), window("pointsman", 0, 0.09, foreign=0.5)]
    good = [window("nginx", 1, 0.01), window("pointsman", 1, 0.03)]

    def ratio(windows: list[Window]) -> float | None:
        figures = figures_of(summarise([ScenarioResult(SCENARIOS[0], windows, {})]), "chat-small", "pointsman")
        return figures.cpu_to_nginx if figures else None

    assert ratio(spoilt + good) == pytest.approx(3.0)
    assert ratio(spoilt) == pytest.approx(9.0)


def test_added_latency_is_the_difference_to_the_upstream_alone() -> None:
    windows = [window(DIRECT, 0, 0, p50=150), window("pointsman", 0, 0.02, p50=420)]
    figures = summarise([ScenarioResult(SCENARIOS[0], windows, {})])
    own, direct = figures_of(figures, "chat-small", "pointsman"), figures_of(figures, "chat-small", DIRECT)
    assert own is not None
    assert direct is not None
    assert own.added_p50_us == pytest.approx(270)
    assert direct.added_p50_us is None


def test_slope_of_flat_memory_is_zero_and_of_a_leak_is_its_rate() -> None:
    assert slope([(0, 500), (10, 500), (20, 500)]) == 0
    assert slope([(0, 0), (10, 30), (20, 60)]) == pytest.approx(3.0)


def test_meaning_folds_a_stream_and_a_document_alike() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    document = {"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}], "usage": usage}
    chunks = [
        {"choices": [{"delta": {"content": "a"}, "finish_reason": None}]},
        {"choices": [{"delta": {"content": "b"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    ]
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    assert meaning_of(f"{stream}data: [DONE]\n\n".encode()) == meaning_of(json.dumps(document).encode())
    assert meaning_of(stream.encode()).done is False


@pytest.mark.parametrize("kind", KINDS)
def test_the_upstream_says_the_same_in_both_dialects(kind: str, upstream: Upstream, tmp_path: Path) -> None:
    bodies = write_bodies(tmp_path)
    paths = {"small": bodies.small, "large": bodies.large, "stream": bodies.stream, **bodies.translated}
    about = KINDS[kind]
    own = about.path if about.path == MESSAGES else CHAT
    said = meaning_of(fetch(upstream.port, paths[kind].read_bytes(), (), own))
    assert said == meaning_of(fetch(upstream.port, paths[about.reference].read_bytes(), (), about.reference_path))


def test_bodies_have_their_exact_size(tmp_path: Path) -> None:
    bodies = write_bodies(tmp_path)
    assert [len(path.read_bytes()) for path in (bodies.small, bodies.large)] == [290, 8192]
    assert json.loads(bodies.stream.read_bytes())["stream_options"] == {"include_usage": True}


def test_skip_and_body_narrow_what_is_run() -> None:
    options = parse(["--skip", "litellm,portkey", "--body", "large"])
    assert options.contenders == ("nginx", "pointsman")
    assert "chat-small" not in options.scenarios
    assert "chat-large" in options.scenarios
    assert parse([]).contenders == CONTENDER_NAMES


@pytest.mark.parametrize("wrong", [["--only", "apache"], ["--cores", "0,0"], ["--rounds", "0"]])
def test_wrong_options_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(wrong)


def test_chart_is_well_formed_and_longer_bars_are_larger_values() -> None:
    panel = Panel("CPU <per> request", "µs", [("nginx", 20.0), ("pointsman", 45.0), ("litellm", 20_000.0)])
    root = ET.fromstring(render([panel], "a & b"))
    widths = [float(bar.get("width", 0)) for bar in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert widths == sorted(widths)
    assert widths[0] > 0


@pytest.fixture(name="upstream")
def _upstream(tmp_path: Path) -> Iterator[Upstream]:
    if not (shutil.which("cc") and shutil.which("taskset")):
        pytest.skip("needs a C compiler and taskset")
    upstream = start_upstream(native.build().mock, 0, tmp_path)
    yield upstream
    upstream.stop()


def load_of(upstream: Upstream, body: Path, **changes: object) -> Load:
    load = Load(upstream.port, body, (), None, 0, "", connections=4, seconds=20, requests=40, core=0)
    return replace(load, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, 2000])
def test_loadgen_and_upstream_count_the_same_requests(upstream: Upstream, tmp_path: Path, rate: float) -> None:
    small = write_bodies(tmp_path).small
    check = check_direct(upstream.port, small, tmp_path / "expect")
    before = upstream.counters()
    result = run_load(native.build().loadgen, load_of(upstream, small, expect=check.expect, rate=rate))
    seen = upstream.counters().since(before)
    assert (result.completed, result.wrong_body, result.broken) == (40, 0, 0)
    assert seen.requests == 40
    assert seen.accepted == result.connects <= 4


@pytest.mark.parametrize("gap_us", [0, 100])
def test_a_stream_has_52_events_however_it_is_paced(upstream: Upstream, tmp_path: Path, gap_us: int) -> None:
    stream = write_bodies(tmp_path).stream
    upstream.pace(gap_us)
    result = run_load(native.build().loadgen, load_of(upstream, stream, events=52, marker="[DONE]"))
    assert (result.completed, result.wrong_body, result.events) == (40, 0, 40 * 52)
    assert upstream.counters().streams_open == 0


def test_loadgen_notices_a_wrong_body(upstream: Upstream, tmp_path: Path) -> None:
    small, expect = write_bodies(tmp_path).small, tmp_path / "expect"
    right = check_direct(upstream.port, small, expect)
    assert right.expect is not None
    expect.write_bytes(expect.read_bytes().replace(b"Hello", b"Hullo"))
    result = run_load(native.build().loadgen, load_of(upstream, small, expect=expect))
    assert result.wrong_body == result.completed == 40


def test_a_reply_compared_with_itself_is_identical(upstream: Upstream, tmp_path: Path) -> None:
    stream = write_bodies(tmp_path).stream
    check = check_reply(
        (upstream.port, upstream.port), stream, (KINDS["stream"].path, stream, CHAT), (), tmp_path / "expect"
    )
    assert (check.identical, check.events, check.fault) == (True, 52, "")
    assert check.expect == tmp_path / "expect"
