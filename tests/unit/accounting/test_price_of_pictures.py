"""Pictures that are priced both by the piece and by the token are charged once."""

from __future__ import annotations

from pointsman.accounting.price import cost_of
from pointsman.core.price import Price, UnitPrice
from pointsman.core.usage import Units, Usage

BOTH = Price(1, 2, units=UnitPrice(image=39_000, image_output=30))


def test_tokens_of_pictures_are_charged_and_not_the_pieces() -> None:
    usage = Usage(10, 1000, source="measured", units=Units(images=1, image_output=990))
    assert cost_of(usage, BOTH) == -(-(10 * 1 + 10 * 2 + 990 * 30) // 1000)


def test_pieces_are_charged_where_no_tokens_were_counted() -> None:
    assert cost_of(Usage(0, 0, source="estimated", units=Units(images=2)), BOTH) == 78
