"""What is told of a budget, in LiteLLM's shapes.

Sources: LiteLLM 1.109.1, ``proxy/_types.py`` (``WebhookEvent``, ``CallInfo``) and ``SlackAlerting/slack_alerting.py``;
https://docs.litellm.ai/docs/proxy/alerting. ``token`` is the digest of a key, as everywhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from pointsman.core.price import dollars
from pointsman.policies.alerting import Crossing
from pointsman.policies.durations import approximate_seconds

__all__ = ["BudgetEvent", "event_of", "exceeds", "text_of"]

_GROUPS: Final = {
    "key": "key", "team": "team", "user": "user", "member": "team_member", "organization": "organization",
    "customer": "end_user", "tag": "tag", "global": "proxy", "model": "model", "deployment": "deployment",
    "provider": "provider", "organization_member": "organization_member",
    "project": "project", "model_group": "model_access_group",
}  # fmt: skip
_TITLES: Final = {
    "key": "Key Budget", "team": "Team Budget", "user": "User Budget", "member": "Team Member Budget",
    "organization": "Organization Budget", "customer": "Customer Budget", "tag": "Tag Budget",
    "global": "Proxy Budget", "model": "Model Budget", "deployment": "Deployment Budget",
    "provider": "Provider Budget", "organization_member": "Organization Member Budget",
    "project": "Project Budget", "model_group": "Model Access Group Budget",
}  # fmt: skip
_SHARE_MIN: Final = 0.01
"""Of a period that has hardly begun nothing can be told ahead."""


class BudgetEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON that a webhook is sent. Money is in USD, dates are ISO 8601."""

    spend: float
    max_budget: float | None
    soft_budget: float | None
    token: str | None
    customer_id: str | None
    user_id: str | None
    team_id: str | None
    team_alias: str | None
    organization_id: str | None
    user_email: None
    key_alias: str | None
    model: str | None
    projected_exceeded_date: str | None
    projected_spend: float | None
    event: str
    event_group: str
    event_message: str


def event_of(crossing: Crossing, now: float) -> BudgetEvent:
    """The event; ``now`` is wall time."""
    projected, exceeded_at = _projection(crossing, now)
    scope = crossing.scope
    return BudgetEvent(
        spend=dollars(crossing.spent),
        max_budget=None if crossing.budget is None else dollars(crossing.budget),
        soft_budget=None if crossing.soft is None else dollars(crossing.soft),
        token=crossing.identity if scope == "key" else None,
        customer_id=crossing.identity if scope == "customer" else None,
        user_id=crossing.user_id,
        team_id=crossing.team_id,
        team_alias=crossing.name if scope == "team" else None,
        organization_id=crossing.organization_id,
        user_email=None,
        key_alias=crossing.name if scope == "key" else None,
        model=crossing.model or None,
        projected_exceeded_date=exceeded_at,
        projected_spend=projected,
        event=crossing.kind,
        event_group=_GROUPS.get(scope, scope),
        event_message=f"{_TITLES.get(scope, 'Budget')}: {_what(crossing)}",
    )


def exceeds(event: BudgetEvent) -> bool:
    """Whether the budget will probably not last until its end."""
    return (
        event.projected_spend is not None and event.max_budget is not None and event.projected_spend > event.max_budget
    )


def text_of(crossing: Crossing, event: BudgetEvent, now: float) -> str:
    """The same for people."""
    level = "High" if crossing.kind == "budget_crossed" else "Medium" if crossing.percent else "Low"
    lines = [
        f"Level: `{level}`",
        f"Timestamp: `{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC`",
        "",
        f"Message: {event.event_message}",
        f"{_GROUPS.get(crossing.scope, crossing.scope)}: `{_plain(crossing.name)}`",
    ]
    if event.model:
        lines.append(f"model: `{_plain(event.model)}`")
    lines.append(f"spend: `{event.spend:.6g}` USD")
    if event.max_budget is not None:
        lines.append(f"max_budget: `{event.max_budget:.6g}` USD")
    if event.soft_budget is not None:
        lines.append(f"soft_budget: `{event.soft_budget:.6g}` USD")
    if event.projected_spend is not None:
        lines.append(f"projected_spend: `{event.projected_spend:.6g}` USD")
    if event.projected_exceeded_date is not None:
        lines.append(f"projected_exceeded_date: `{event.projected_exceeded_date}`")
    return "\n".join(lines)


def _what(crossing: Crossing) -> str:
    match crossing.kind:
        case "budget_crossed":
            return "Budget Crossed"
        case "soft_budget_crossed":
            return "Soft Budget Crossed"
        case "projected_limit_exceeded":
            return "Projected Limit Exceeded"
        case _:
            return f"{crossing.percent}% Threshold Crossed"


def _projection(crossing: Crossing, now: float) -> tuple[float | None, str | None]:
    """What will be spent by the end of the period if it goes on like this, and when the budget will be used up."""
    if crossing.duration is None or crossing.reset_at is None or crossing.budget is None:
        return None, None
    length = approximate_seconds(crossing.duration, "budget_duration")
    passed = length - (crossing.reset_at - now)
    if not _SHARE_MIN * length <= passed <= length:
        return None, None
    projected = crossing.spent * length / passed
    if projected <= crossing.budget or not crossing.spent:
        return dollars(round(projected)), None
    at = now + max(0, crossing.budget - crossing.spent) / crossing.spent * passed
    return dollars(round(projected)), datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _plain(text: str) -> str:
    """Without what would be markup, or mention somebody, where it is shown."""
    return "".join(one for one in text if one.isprintable() and one not in "`<>&")
