"""What became of a call: the one record that each call leaves in the ledger."""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman.core.trace import RouteTrace
from pointsman.core.usage import NO_USAGE, Usage

__all__ = ["CallRecord", "Status"]

Status = Literal["success", "failure", "cancelled"]


class CallRecord(msgspec.Struct, omit_defaults=True):
    """One call, finished, failed or cut off. Times are seconds since the epoch, money is in picodollars.

    ``key_token`` is the digest of the key, ``"master"`` for the master key, ``""`` when nobody was known.
    ``answer_id`` is the ``id`` in the answer that the client has, where it has one.
    ``prompt`` and ``reply`` are JSON and only set when the operator switched prompt logging on.
    ``trace`` is only set where there was something to decide, or to wait for. ``queued_ms``, the wait for a turn at a
    local host, is counted; it is stored with the trace. ``energy_mwh`` is what the call's share of a local host's work
    drew, in milliwatt-hours, and ``energy_cost`` what that cost; both 0 where nobody told what the host draws.
    ``user_agent`` is what the client calls itself, where metrics are to tell of it; it is not stored.
    ``charges`` are further accounts that it adds to, each as ``scope/id``: its project, groups of models with a budget.
    """

    call_id: str
    operation: str
    route: str
    started_at: float
    ended_at: float = 0.0
    first_token_at: float | None = None
    status: Status = "success"
    http_status: int = 200
    error_code: str | None = None
    error_message: str | None = None
    key_token: str = ""
    key_alias: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    end_user: str | None = None
    model_requested: str = ""
    model_group: str = ""
    deployment_id: str = ""
    model: str = ""
    provider: str = ""
    api_base: str = ""
    usage: Usage = NO_USAGE
    cost: int = 0
    attempts: int = 0
    stream: bool = False
    overhead_ms: float = 0.0
    tags: tuple[str, ...] = ()
    peer: str = ""
    answer_id: str | None = None
    prompt: msgspec.Raw | None = None
    reply: msgspec.Raw | None = None
    trace: RouteTrace | None = None
    queued_ms: float = 0.0
    energy_mwh: int = 0
    energy_cost: int = 0
    charges: tuple[str, ...] = ()
    user_agent: str = ""
