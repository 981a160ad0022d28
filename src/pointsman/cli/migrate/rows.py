"""Rows of LiteLLM's tables, read by column with the type that it should have.

Source: LiteLLM 1.109.1, ``proxy/schema.prisma``. Older versions lack columns, so one that is not there is None. Its
moments are in UTC without saying so, its amounts are in USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from pointsman.core.price import picodollars

__all__ = ["Row", "amount_of"]

_USD_MAX: Final = 9_000_000
"""As in the management API: more would not fit where amounts are added up."""


def amount_of(value: object) -> int | None:
    """USD as picodollars: what is below nought counts as nought, and what has no end, or is beyond all use, as none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not float(value) <= _USD_MAX:
        return None
    return picodollars(Decimal(str(max(value, 0))))


class Row:
    """One row, by column."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, column: str) -> str | None:
        """A text that is not empty."""
        value = self._values.get(column)
        return value if isinstance(value, str) and value else None

    def named(self, column: str) -> str:
        """A text that has to be there; ``""`` where it is not."""
        return self.text(column) or ""

    def whole(self, column: str) -> int | None:
        """A whole number."""
        value = self._values.get(column)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def limit(self, column: str) -> int | None:
        """A limit of a rate: what is below nought lets nothing through, as nought does."""
        value = self.whole(column)
        return None if value is None else max(value, 0)

    def strange_limits(self, *columns: str) -> tuple[str, ...]:
        """Notes on limits that are none here."""
        told = ((name, self.whole(name)) for name in columns)
        return tuple(
            f"{name} is {value}, which is no limit here: it counts as 0."
            for name, value in told
            if value is not None and value < 0
        )

    def flag(self, column: str) -> bool:
        """Whether it is true."""
        return self._values.get(column) is True

    def money(self, column: str) -> int | None:
        """Picodollars; see :func:`amount_of`."""
        return amount_of(self._values.get(column))

    def strange_amounts(self, *columns: str) -> tuple[str, ...]:
        """Notes on amounts that are none here."""
        told = ((name, self._values.get(name)) for name in columns)
        return tuple(
            f"{name} is {value}, which is no amount here: "
            f"it {'is left out' if amount_of(value) is None else 'counts as 0'}."
            for name, value in told
            if isinstance(value, int | float | Decimal) and not 0 <= float(value) <= _USD_MAX
        )

    def moment(self, column: str) -> float | None:
        """Seconds since the epoch; a moment that never comes (PostgreSQL's ``infinity``) is none."""
        value = self._values.get(column)
        if not isinstance(value, datetime) or value.year == MAXYEAR:
            return None
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()

    def texts(self, column: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._values.get(column)
        return tuple(one for one in value if isinstance(one, str) and one) if isinstance(value, list) else ()

    def json(self, column: str) -> object:
        """What a JSON column holds; None where it is no JSON. In old versions it may be JSON in a text in JSON."""
        value = self._values.get(column)
        if not isinstance(value, str):
            return value if isinstance(value, dict | list) else None
        try:
            decoded: object = msgspec.json.decode(value.encode())
            return msgspec.json.decode(decoded.encode()) if isinstance(decoded, str) else decoded
        except msgspec.MsgspecError:
            return None

    def fields(self, column: str) -> dict[str, object]:
        """A JSON object; an empty one where there is none."""
        value = self.json(column)
        return value if isinstance(value, dict) else {}
