"""Each complaint that this gateway is to answer names its tests, and they are there."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import msgspec
import pytest

TESTS = Path(__file__).parents[1]


class Complaint(msgspec.Struct, forbid_unknown_fields=True):
    """What was complained ``of`` in which ``threads``, and the tests: files, or ``file::name``."""

    of: str
    threads: tuple[str, ...]
    tests: tuple[str, ...]


COMPLAINTS = msgspec.convert(tomllib.loads((TESTS / "complaints.toml").read_text())["complaint"], list[Complaint])


@pytest.mark.parametrize("complaint", COMPLAINTS, ids=lambda complaint: complaint.threads[0])
def test_a_complaint_has_its_tests(complaint: Complaint) -> None:
    assert complaint.tests
    for test in complaint.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in defined if name else any(found.startswith("test_") for found in defined), test


def test_a_thread_is_named_once() -> None:
    threads = [thread for complaint in COMPLAINTS for thread in complaint.threads]
    assert len(set(threads)) == len(threads) > 80
