"""Usage adds up."""

from __future__ import annotations

import pytest

from pointsman.core.usage import NO_USAGE, Units, Usage, UsageSource


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("none", "none", "none"),
        ("none", "measured", "measured"),
        ("measured", "measured", "measured"),
        ("measured", "estimated", "estimated"),
        ("estimated", "none", "estimated"),
    ],
)
def test_a_sum_is_as_exact_as_its_parts(one: UsageSource, other: UsageSource, both: UsageSource) -> None:
    assert Usage(source=one).plus(Usage(source=other)).source == both


def test_every_kind_of_token_and_unit_is_added() -> None:
    one = Usage(1, 2, 3, 4, 5, 6, 7, "measured", Units(1, 2, 3, 4, 5, 6))
    assert one.plus(one) == Usage(2, 4, 6, 8, 10, 12, 14, "measured", Units(2, 4, 6, 8, 10, 12))
    assert one.plus(NO_USAGE) == NO_USAGE.plus(one) == one
