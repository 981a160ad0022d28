"""The packaged file: small, complete, readable row by row, and loud when it is damaged."""

from __future__ import annotations

import gzip
import re
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.catalog.models import CAPABILITY_FLAGS
from pointsman.catalog.snapshot import FORMAT, Header, Row, Snapshot, Source, packaged_bytes, price_row
from pointsman.core.errors import Misconfigured
from pointsman.core.price import Price, Tier

SOURCE = Source("list", "1.0", "MIT", "list.whl", "00", "list.json", "11", 3)


def snapshot_of(*keys: str, format_number: int = FORMAT) -> Snapshot:
    return Snapshot(lambda: packed(*keys, format_number=format_number))


def packed(*keys: str, format_number: int = FORMAT) -> bytes:
    header = Header(format_number, "2026-01-02", "USD per token, decimal", ("tools", "vision"), (SOURCE,))
    lines = [msgspec.json.encode(header)]
    for number, key in enumerate(sorted(keys)):
        row = Row(provider="p", source=0, context_tokens=number, capabilities=2)
        lines.append(key.encode() + b"\t" + msgspec.json.encode(row))
    return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)


def test_the_packaged_file_is_under_400_kb() -> None:
    assert len(packaged_bytes()) < 400_000


def test_the_packaged_file_says_where_it_comes_from() -> None:
    header = Snapshot(packaged_bytes).header
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", header.made)
    assert [(source.name, source.licence) for source in header.sources] == [("litellm", "MIT"), ("genai-prices", "MIT")]
    for source in header.sources:
        assert re.fullmatch(r"[0-9a-f]{64}", source.package_sha256)
        assert re.fullmatch(r"[0-9a-f]{64}", source.member_sha256)
        assert source.version in source.package


def test_every_packaged_row_can_be_found_and_read_and_its_price_is_exact() -> None:
    snapshot = Snapshot(packaged_bytes)
    keys = list(snapshot.keys())
    assert keys == sorted(set(keys))
    assert len(keys) == sum(source.rows for source in snapshot.header.sources)
    known = set(CAPABILITY_FLAGS.values())
    for key in keys:
        row = snapshot.row(key)
        assert row is not None, key
        facts = snapshot.facts(key, row)
        assert facts.capabilities <= known
        if facts.price is not None:
            assert price_row(facts.price) == row.price


def test_the_file_is_read_once_and_only_when_asked() -> None:
    reads: list[int] = []

    def read() -> bytes:
        reads.append(1)
        return packed("a")

    snapshot = Snapshot(read)
    assert not reads
    snapshot.row("a")
    snapshot.row("b")
    assert reads == [1]


def test_a_row_says_what_its_bits_and_source_mean() -> None:
    snapshot = snapshot_of("a")
    row = snapshot.row("a")
    assert row is not None
    facts = snapshot.facts("A", row)
    assert (facts.key, facts.source, facts.capabilities) == ("a", "list 1.0", frozenset({"vision"}))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.from_regex(r"[a-z0-9./:é-]{1,8}", fullmatch=True), max_size=30), st.text(max_size=8))
def test_exactly_the_keys_of_the_file_are_found(keys: set[str], other: str) -> None:
    snapshot = snapshot_of(*keys)
    assert all(snapshot.row(key) is not None for key in keys)
    assert (snapshot.row(other) is not None) == (other.lower() in keys)


@pytest.mark.parametrize("key", ["", "\t", "\n", "a\t[", "a\n", "\ud800", "a" * 5000])
def test_a_strange_name_is_not_found_and_harms_nothing(key: str) -> None:
    assert snapshot_of("a", "b").row(key) is None
    assert snapshot_of().row(key) is None


def test_the_newest_dated_row_is_found_in_either_way_of_writing_dates() -> None:
    snapshot = snapshot_of("m-20240101", "m-2024-11-05", "m-20230909", "m-99999999x", "m-mini-20250101", "n-20260101")
    assert snapshot.newest_dated("M") == "m-2024-11-05"
    assert snapshot.newest_dated("m-mini") == "m-mini-20250101"
    assert snapshot.newest_dated("o") is None


@pytest.mark.parametrize(
    "damaged",
    [b"", b"no gzip", packed("a")[:-12], packed("a", format_number=99), zlib.compress(b"{}\n")],
)
def test_a_damaged_file_is_refused(damaged: bytes) -> None:
    with pytest.raises(Misconfigured, match="catalogue"):
        Snapshot(lambda: damaged).row("a")


def test_a_price_survives_being_written_as_a_row() -> None:
    price = Price(1, 2, 3, 4, 5, 6, 7, 8, (Tier(200_000, Price(10, 20)),))
    assert price_row(price).price() == price
    assert price_row(Price(150_000_000, 0)).input == "1.5E-7"
