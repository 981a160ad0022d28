"""What LiteLLM 1.109.1 answered, and what we answer to the same requests, differ in nothing that nobody has declared.

``litellm-1.109.1.json`` was recorded from the real one by ``scripts/record_litellm_pairs.py``. ``differences.toml``
says what may differ, and why: where a difference goes away, its rule has to go, too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.pairs.likeness import differences, masked
from tests.pairs.playing import Told, play
from tests.pairs.steps import CONFIG, STEPS
from tests.support.gateway import MASTER_KEY, Gateway
from tests.upstreams import FakeOpenAI

HERE: Final = Path(__file__).parent
RECORD: Final = msgspec.json.decode((HERE / "litellm-1.109.1.json").read_bytes(), type=dict[str, Told])


class Rule(msgspec.Struct, frozen=True):
    """Where answers may differ, and why. Both are patterns of a shell: names of steps, places in the answer.

    ``by_chance``: keys are made anew in every run, and by their order the answers may also happen to agree.
    """

    steps: tuple[str, ...]
    at: tuple[str, ...]
    why: str
    by_chance: bool = False

    def allows(self, step: str, at: str) -> bool:
        """Whether it speaks of this place."""
        return any(fnmatchcase(step, one) for one in self.steps) and any(fnmatchcase(at, one) for one in self.at)


RULES: Final = msgspec.convert(tomllib.loads((HERE / "differences.toml").read_text("utf-8"))["differ"], list[Rule])


@pytest.fixture(scope="module")
def found() -> Iterator[list[tuple[str, str, str]]]:
    """All differences: in which step, where, and what."""
    environment = {"LITELLM_MASTER_KEY": MASTER_KEY, "LITELLM_SALT_KEY": "sk-salt-0123456789abcdef"}
    with (
        FakeOpenAI(["gpt-4o-mini"]) as upstream,
        Gateway.start(CONFIG, env={"UPSTREAM": upstream.base_url, **environment}) as gateway,
    ):
        yield [
            (step.name, at, how)
            for step, told in play(gateway.port, upstream, MASTER_KEY)
            for at, how in differences(RECORD[step.name], told)
        ]


def test_every_step_was_recorded() -> None:
    assert [step.name for step in STEPS] == list(RECORD)


def test_nothing_differs_that_nobody_has_declared(found: list[tuple[str, str, str]]) -> None:
    undeclared = [
        f"{step} | {at} | {how}" for step, at, how in found if not any(rule.allows(step, at) for rule in RULES)
    ]
    assert undeclared == []


def test_what_is_declared_still_differs(found: list[tuple[str, str, str]]) -> None:
    certain = [rule for rule in RULES if not rule.by_chance]
    stale = [rule.why for rule in certain if not any(rule.allows(step, at) for step, at, _ in found)]
    assert stale == []


def test_what_differs_is_seen() -> None:
    theirs = Told(200, {"x-litellm-call-id": "1"}, {"a": "~text", "b": [1, 2], "c": None, "d": {"e": True}})
    ours = Told(200, {}, {"a": 5, "b": [1, 2.5], "d": {}, "f": "more"})
    assert [at for at, _ in differences(theirs, ours)] == ["header.x-litellm-call-id", "body.a", "body.b.1", "body.d.e"]
    assert list(differences(theirs, Told(404, {}, {}))) == [("status", "404, not 200")]
    assert masked({"a": "x", "b": 1, "c": [1.5, True]}, {"a": "y", "b": 1, "c": [2.5, True]}) == {
        "a": "~text", "b": 1, "c": ["~number", True],
    }  # fmt: skip
