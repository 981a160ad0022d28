"""A statement as a page to be printed: no scripts, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Final

from pointsman.admin.billing.shapes import Statement

__all__ = ["statement_page"]

_HEADS: Final = (
    "Model", "Upstream model", "Provider", "Calls", "Prompt tokens", "Completion tokens", "List price", "Discount",
    "Margin", "Billed",
)  # fmt: skip
_STYLE: Final = (
    "body{font-family:sans-serif;margin:2em;color:#111}table{border-collapse:collapse;width:100%}"
    "th,td{padding:.3em .6em;border-bottom:1px solid #ccc;text-align:right}"
    "th:nth-child(-n+3),td:nth-child(-n+3){text-align:left}tfoot td{font-weight:bold}"
)


def statement_page(statement: Statement) -> bytes:
    """The page, in UTF-8."""
    whose = statement.account_name or statement.account_id or "everybody"
    title = f"Statement for {statement.account_type} {whose}"
    rows = [
        _row(
            line.model_group, line.model, line.provider, line.calls, line.prompt_tokens, line.completion_tokens,
            line.list_price, line.discount, line.margin, line.billed,
        )
        for line in statement.lines
    ]  # fmt: skip
    total = statement.total
    foot = _row("Total", "", "", total.calls, "", "", total.list_price, total.discount, total.margin, total.billed)
    parts = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        f"<p>{statement.start_date} to {statement.end_date} (UTC), in {statement.currency}.</p>",
        f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in _HEADS)}</tr></thead>",
        f"<tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table>",
        f"<p>Made {escape(statement.made_at)}.</p></body></html>\n",
    )
    return "".join(parts).encode("utf-8", "replace")


def _row(*cells: object) -> str:
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"
