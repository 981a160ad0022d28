"""Ids are unique and shaped as clients expect; keys are long enough."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid

import pytest

from pointsman.core.clock import SYSTEM_CLOCK, CallIds, call_id, draw, fresh_token, short_id


def test_call_ids_are_well_formed_random_uuids() -> None:
    for ids in (CallIds() for _ in range(200)):
        made = uuid.UUID(ids.fresh())
        assert made.version == 4 and made.variant == uuid.RFC_4122 and len(str(made)) == 36


def test_call_ids_never_repeat_within_a_process_and_differ_between_processes() -> None:
    assert len({call_id() for _ in range(10_000)}) == 10_000
    assert CallIds().fresh()[:23] != CallIds().fresh()[:23]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_copy_of_the_process_gives_other_call_ids() -> None:
    lines = ("import os", "from pointsman.core.clock import call_id", "here = os.fork()")
    program = "\n".join((*lines, "os.write(1, call_id()[:23].encode() + b' ')", "here and os.wait()"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert len(set(done.stdout.split())) == 2


def test_call_ids_stay_well_formed_however_many_there_are() -> None:
    ids = CallIds()
    first = int(ids.fresh()[-12:], 16)
    assert first < 2**47, "the counter starts in the lower half, so that it cannot run over its twelve digits"


def test_the_clock_gives_seconds_that_do_not_go_back() -> None:
    first = SYSTEM_CLOCK.monotonic()
    assert SYSTEM_CLOCK.monotonic() >= first
    assert SYSTEM_CLOCK.wall() > 1_700_000_000


def test_draws_are_in_the_unit_interval_and_differ() -> None:
    drawn = [draw() for _ in range(100)]
    assert all(0 <= number < 1 for number in drawn) and len(set(drawn)) > 90


def test_short_ids_carry_their_prefix_and_96_random_bits() -> None:
    assert re.fullmatch(r"call_[0-9a-f]{24}", short_id("call_"))
    assert short_id("x") != short_id("x")


def test_fresh_keys_have_the_form_of_litellms_and_128_random_bits() -> None:
    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{22}", fresh_token())
    assert len({fresh_token() for _ in range(100)}) == 100
