"""What the operator charges for calls: list price less discounts plus margins, exact to the picodollar.

The list price is what the ledger says. Discounts and margins change statements, never the ledger or a budget. As in
LiteLLM, the discount is taken off first and the margin is added to what is left; what an account agreed on counts in
the place of what is agreed on for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Final

import msgspec

from pointsman.stores.activity import ActivityRow

__all__ = ["NO_TERMS", "BillLine", "BillTotal", "PriceBook", "Terms", "billed", "total_of"]

_EVERYBODY: Final = "global"


class Terms(msgspec.Struct, frozen=True):
    """What is agreed on: shares of 1, and picodollars for each call that succeeded; None: nothing of the kind."""

    discount: Fraction | None = None
    margin: Fraction | None = None
    fixed: int | None = None


NO_TERMS: Final = Terms()


class PriceBook(msgspec.Struct, frozen=True):
    """Discounts by provider, or by ``provider/model`` (``*`` for anything); margins by provider or ``global``.

    ``accounts`` are by scope (team, organization, customer) and id.
    """

    discounts: Mapping[str, Fraction] = {}
    margins: Mapping[str, Terms] = {}
    accounts: Mapping[tuple[str, str], Terms] = {}

    def terms(self, scope: str, identity: str, provider: str, model: str) -> Terms:
        """What counts for one account's calls of a model."""
        own = self.accounts.get((scope, identity), NO_TERMS)
        usual = self.margins.get(provider) or self.margins.get(_EVERYBODY) or NO_TERMS
        agreed = own.margin is not None or own.fixed is not None
        margin = own if agreed else usual
        discount = self._discount(provider, model) if own.discount is None else own.discount
        return Terms(discount, margin.margin, margin.fixed)

    def _discount(self, provider: str, model: str) -> Fraction | None:
        whole = f"{provider}/{model}"
        if whole in self.discounts:
            return self.discounts[whole]
        patterns = [name for name in self.discounts if "*" in name and fnmatchcase(whole, name)]
        if patterns:
            return self.discounts[max(patterns, key=len)]
        return self.discounts.get(provider)


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One model. Money is in picodollars: ``billed`` is ``list_price`` less ``discount`` plus ``margin``."""

    model_group: str
    model: str
    provider: str
    calls: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    list_price: int
    discount: int
    margin: int

    @property
    def billed(self) -> int:
        """What is to be paid."""
        return self.list_price - self.discount + self.margin


class BillTotal(msgspec.Struct, frozen=True):
    """The sums of all lines, in picodollars."""

    calls: int
    list_price: int
    discount: int
    margin: int
    billed: int


def billed(rows: Iterable[ActivityRow], book: PriceBook, scope: str, identity: str) -> tuple[BillLine, ...]:
    """A line for each row, in their order; rows tell model group, model and provider apart."""
    return tuple(_line(row, book.terms(scope, identity, row.line.provider, row.line.model)) for row in rows)


def total_of(lines: Iterable[BillLine]) -> BillTotal:
    """The sums; whole numbers, so that they equal the ledger exactly."""
    lines = tuple(lines)
    return BillTotal(
        sum(line.calls for line in lines),
        sum(line.list_price for line in lines),
        sum(line.discount for line in lines),
        sum(line.margin for line in lines),
        sum(line.billed for line in lines),
    )


def _line(row: ActivityRow, terms: Terms) -> BillLine:
    counts = row.counts
    discount = round(counts.spend * (terms.discount or 0))
    margin = round((counts.spend - discount) * (terms.margin or 0)) + counts.successes * (terms.fixed or 0)
    return BillLine(
        model_group=row.line.model_group,
        model=row.line.model,
        provider=row.line.provider,
        calls=counts.calls,
        failures=counts.failures,
        prompt_tokens=counts.prompt_tokens,
        completion_tokens=counts.completion_tokens,
        list_price=counts.spend,
        discount=discount,
        margin=margin,
    )
