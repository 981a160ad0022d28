"""A statement as it is told. Amounts are in USD, as text with all twelve digits, so that nothing is rounded."""

from __future__ import annotations

import msgspec

from pointsman.accounting.billing import BillLine, BillTotal
from pointsman.core.price import exact_dollars

__all__ = ["Statement", "StatementLine", "StatementTotal", "statement_line", "statement_total"]


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One model: ``billed`` is ``list_price`` less ``discount`` plus ``margin``."""

    model_group: str
    model: str
    provider: str
    calls: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    list_price: str
    discount: str
    margin: str
    billed: str


class StatementTotal(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of all lines; ``list_price`` is what the ledger has."""

    calls: int
    list_price: str
    discount: str
    margin: str
    billed: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is to pay for days of UTC, both included."""

    account_type: str
    account_id: str
    account_name: str | None
    start_date: str
    end_date: str
    made_at: str
    currency: str = "USD"
    lines: list[StatementLine]
    total: StatementTotal


def statement_line(line: BillLine) -> StatementLine:
    """A line of the bill as it is told."""
    return StatementLine(
        model_group=line.model_group,
        model=line.model,
        provider=line.provider,
        calls=line.calls,
        failures=line.failures,
        prompt_tokens=line.prompt_tokens,
        completion_tokens=line.completion_tokens,
        list_price=exact_dollars(line.list_price),
        discount=exact_dollars(line.discount),
        margin=exact_dollars(line.margin),
        billed=exact_dollars(line.billed),
    )


def statement_total(total: BillTotal) -> StatementTotal:
    """The sums as they are told."""
    return StatementTotal(
        calls=total.calls,
        list_price=exact_dollars(total.list_price),
        discount=exact_dollars(total.discount),
        margin=exact_dollars(total.margin),
        billed=exact_dollars(total.billed),
    )
