"""The command line of ``bench/run``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTENDER_NAMES", "SCENARIO_NAMES", "Options", "parse"]

CONTENDER_NAMES = ("nginx", "litellm", "portkey", "pointsman")
SCENARIO_NAMES = tuple(scenario.name for scenario in SCENARIOS)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        contenders: names to measure, in the order of :data:`CONTENDER_NAMES`.
        scenarios: names of the load scenarios to run.
        rounds: how often every contender is measured in every scenario.
        seconds: length of one window of a closed loop; open loops take twice as long.
        retries: how many more windows a contended one may cost.
        cores: the contender's core, the load generator's, and the mock upstream's.
        footprint: whether start-up time and memory are measured.
        starts: timed starts per contender.
        held_streams: how many streams are held open to weigh one.
        soak_requests: requests of the soak through Pointsman; 0 for none.
        profile: a contender to profile instead of measuring; empty for none.
        json_path: where the results go as JSON.
        chart_path: where the chart goes as SVG.
        check: whether a missed target makes the exit status 1.
    """

    contenders: tuple[str, ...]
    scenarios: tuple[str, ...]
    rounds: int
    seconds: float
    retries: int
    cores: tuple[int, int, int]
    footprint: bool
    starts: int
    held_streams: int
    soak_requests: int
    profile: str
    json_path: Path | None
    chart_path: Path | None
    check: bool


def parse(arguments: list[str]) -> Options:
    """Reads the arguments; prints help or a usage error and exits as argparse does."""
    given = _parser().parse_args(arguments)
    scenarios = tuple(name for name in SCENARIO_NAMES if name in given.scenario)
    if given.body:
        scenarios = tuple(
            name for name in scenarios if name != {"small": "chat-large", "large": "chat-small"}[given.body]
        )
    if given.streams:
        scenarios = tuple(name for name in scenarios if name.endswith(("-packed", "-paced")))
    return Options(
        contenders=tuple(name for name in CONTENDER_NAMES if name in given.only and name not in given.skip),
        scenarios=scenarios,
        rounds=given.rounds,
        seconds=given.seconds,
        retries=given.retries,
        cores=given.cores,
        footprint=not given.no_footprint and not given.streams,
        starts=given.starts,
        held_streams=given.held_streams,
        soak_requests=given.soak,
        profile=given.profile,
        json_path=given.json,
        chart_path=given.chart,
        check=given.check,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures gateways side by side.")
    parser.add_argument(
        "--only", type=_names(CONTENDER_NAMES), default=CONTENDER_NAMES, metavar="A,B", help="contenders to measure"
    )
    parser.add_argument(
        "--skip", type=_names(CONTENDER_NAMES), default=(), metavar="A,B", help="contenders to leave out"
    )
    parser.add_argument(
        "--scenario", type=_names(SCENARIO_NAMES), default=SCENARIO_NAMES, metavar="A,B", help=", ".join(SCENARIO_NAMES)
    )
    parser.add_argument("--body", choices=("small", "large"), help="only this request body (290 B or 8 KB)")
    parser.add_argument("--streams", action="store_true", help="only the streaming scenarios")
    parser.add_argument("--rounds", type=_count, default=5, metavar="N", help="rounds per scenario (default: 5)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="length of a window (default: 3)")
    parser.add_argument(
        "--retries", type=int, default=3, metavar="N", help="extra windows when one is contended (default: 3)"
    )
    parser.add_argument(
        "--cores",
        type=_cores,
        default=(0, 1, 1),
        metavar="C,L[,M]",
        help="contender, load generator, mock (default: 0,1,1)",
    )
    parser.add_argument("--no-footprint", action="store_true", help="leave out start-up time and memory")
    parser.add_argument("--starts", type=_count, default=3, metavar="N", help="timed starts per contender (default: 3)")
    parser.add_argument(
        "--held-streams", type=_count, default=1000, metavar="N", help="open streams to weigh (default: 1000)"
    )
    parser.add_argument(
        "--soak", type=int, default=0, metavar="N", help="after all else, N requests through Pointsman, sampling memory"
    )
    parser.add_argument(
        "--profile", choices=CONTENDER_NAMES, default="", help="profile this one under load instead of measuring"
    )
    parser.add_argument("--json", type=_path, metavar="FILE", help="write all results as JSON")
    parser.add_argument("--chart", type=_path, metavar="FILE.svg", help="write the chart")
    parser.add_argument("--check", action="store_true", help="exit 1 when Pointsman misses one of its targets")
    return parser


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        unknown = [name for name in names if name not in known]
        if unknown:
            message = f"unknown: {', '.join(unknown)} (known: {', '.join(known)})"
            raise argparse.ArgumentTypeError(message)
        return names

    return read


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        message = "must be at least 1"
        raise argparse.ArgumentTypeError(message)
    return number


def _cores(text: str) -> tuple[int, int, int]:
    cores = [int(part) for part in text.split(",")]
    if len(cores) == 2:
        cores.append(cores[1])
    if len(cores) != 3 or cores[0] in cores[1:]:
        message = "expected C,L or C,L,M, where the contender shares its core with neither"
        raise argparse.ArgumentTypeError(message)
    return cores[0], cores[1], cores[2]


def _path(text: str) -> Path:
    return Path(text).absolute()
