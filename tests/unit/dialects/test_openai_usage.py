from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.usage import Usage
from pointsman.dialects.openai_usage import WireUsage, read_embedding_usage, read_usage, write_usage
from pointsman.providers.express.meter import UsageWire
from pointsman.providers.express.meter import read_embedding_usage as meter_embedding_usage
from pointsman.providers.express.meter import read_usage as meter_usage

counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts, counts, counts, counts, counts, source=st.just("measured"))


@given(usages)
def test_what_is_written_is_read_back(usage: Usage) -> None:
    body = msgspec.json.encode(write_usage(usage))
    assert read_usage(msgspec.json.decode(body, type=WireUsage)) == usage
    assert msgspec.json.decode(body)["total_tokens"] == usage.prompt + usage.completion


def test_cache_writes_are_only_named_where_there_are_any() -> None:
    assert b"cache_creation_tokens" not in msgspec.json.encode(write_usage(Usage(1, 1)))
    assert b'"cache_creation_tokens":3' in msgspec.json.encode(write_usage(Usage(9, 1, cache_write=3)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}', Usage(3, 4, source="measured")),
        (b'{"prompt_tokens":3}', Usage(3, source="measured")),
        (b'{"prompt_tokens":0,"completion_tokens":0}', Usage(source="measured")),
        (
            b'{"prompt_tokens":3,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null}}',
            Usage(3, source="measured"),
        ),
        (b'{"total_tokens":7}', None),
        (b"{}", None),
    ],
)
def test_what_other_servers_leave_out_is_zero_and_nothing_is_nothing(body: bytes, expected: Usage | None) -> None:
    assert read_usage(msgspec.json.decode(body, type=WireUsage)) == expected


def test_no_usage_is_none() -> None:
    assert read_usage(None) is None


@pytest.mark.parametrize("name", ["prompt_cache_hit_tokens", "cached_tokens"])
def test_cached_tokens_are_found_where_deepseek_and_moonshot_have_them(name: str) -> None:
    wire = msgspec.json.decode(b'{"prompt_tokens":9,"completion_tokens":2,"%b":4}' % name.encode(), type=WireUsage)
    meter = msgspec.json.decode(b'{"prompt_tokens":9,"completion_tokens":2,"%b":4}' % name.encode(), type=UsageWire)
    expected = Usage(9, 2, cached=4, source="measured")
    assert read_usage(wire) == meter_usage(meter) == expected
    assert name not in msgspec.to_builtins(write_usage(expected))


@pytest.mark.parametrize(("total", "completion"), [(11, 2), (14, 5), (99, 2), (None, 2)])
def test_reasoning_that_xai_counts_beside_the_completion_is_put_into_it(total: int | None, completion: int) -> None:
    body = msgspec.json.encode({
        "prompt_tokens": 9, "completion_tokens": 2, "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 3},
    })  # fmt: skip
    expected = Usage(9, completion, reasoning=3, source="measured")
    assert read_usage(msgspec.json.decode(body, type=WireUsage)) == expected
    assert meter_usage(msgspec.json.decode(body, type=UsageWire)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"total_tokens":7}', Usage(7, source="measured")),
        (b'{"prompt_tokens":7,"total_tokens":7}', Usage(7, source="measured")),
        (b"{}", None),
    ],
)
def test_of_embeddings_the_sum_alone_will_do(body: bytes, expected: Usage | None) -> None:
    assert read_embedding_usage(msgspec.json.decode(body, type=WireUsage)) == expected
    assert meter_embedding_usage(msgspec.json.decode(body, type=UsageWire)) == expected
    assert read_embedding_usage(None) is meter_embedding_usage(None) is None
