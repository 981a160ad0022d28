"""What is asked of a gateway that has a filled ledger, over HTTP, and what that costs."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ledgers.calls import DAYS, MODELS, ORGANIZATIONS, Company, token_of_key
from ledgers.places import Place
from ledgers.spending_time import Spending
from tests.support.gateway import MASTER_KEY, Gateway
from tests.support.processes import process_tree, resident_kilobytes

__all__ = ["Asked", "Cost", "ask_gateway", "paths"]

_ROUNDS: Final = 5
_SECONDS_MAX: Final = 60.0


class Cost(msgspec.Struct, frozen=True):
    """Medians in milliseconds: as somebody waits for it, and as processors work on it (gateway and database)."""

    waited: float
    worked: float


class Asked(msgspec.Struct, frozen=True):
    """A gateway's start (seconds), its memory at the end (MB), and what each question cost."""

    start_seconds: float
    megabytes: float
    costs: dict[str, Cost]


def paths(company: Company) -> dict[str, str]:
    """What is asked, by name. The month is the last 31 days that have calls."""
    last = datetime.fromtimestamp(company.start, UTC) + timedelta(days=DAYS - 1)
    first = (last - timedelta(days=30)).date()
    month = f"start_date={first}&end_date={last.date()}"
    some = company.keys // 2
    return {
        "report of a month": f"/global/spend/report?{month}",
        "the same by key": f"/global/spend/report?{month}&group_by=api_key",
        "the same by customer": f"/global/spend/report?{month}&group_by=customer",
        "the same of one team": f"/global/spend/report?{month}&team_id={company.team(some)}",
        "daily activity of everybody": f"/user/daily/activity?{month}",
        "daily activity of a team": f"/team/daily/activity?{month}&team_ids={company.team(some)}",
        "daily activity of tags": f"/tag/daily/activity?{month}",
        "50 calls": f"/spend/logs/v2?{month}&page_size=50",
        "50 calls, page 100": f"/spend/logs/v2?{month}&page_size=50&page=100",
        "50 calls of a user": f"/spend/logs/v2?user_id={company.user(some)}&page_size=50",
        "summary of calls": f"/spend/logs?{month}&summarize=true",
        "speed of models": f"/model/metrics?startTime={first}&endTime={last.date()}",
        "slow calls": f"/model/metrics/slow_responses?startTime={first}&endTime={last.date()}",
        "failures of models": f"/model/metrics/exceptions?startTime={first}&endTime={last.date()}",
        "first tokens": f"/model/streaming_metrics?startTime={first}&endTime={last.date()}",
        "refusals of a model": f"/global/activity/exceptions?{month}&model_group={MODELS[0]}",
        "users of tags, by day": "/tag/dau",
        "users of tags, by 30 days": "/tag/mau",
        "tags of a month": f"/tag/summary?{month}",
        "what users did under tags": "/tag/user-agent/per-user-analytics",
        "daily activity of all teams": f"/team/daily/activity?{month}",
        "daily activity of all customers": f"/customer/daily/activity?{month}",
        "50 keys": "/key/list?size=50",
        "50 keys, in the middle": f"/key/list?size=50&page={max(1, company.keys // 100)}",
        "keys of a team": f"/key/list?team_id={company.team(some)}&size=50",
        "one key": f"/key/info?key={token_of_key(some)}",
        "keys of an organization": f"/key/list?organization_id=org-{some % ORGANIZATIONS}&size=50",
        "keys that are blocked": "/key/list?status=revoked&size=50",
        "50 aliases": "/key/aliases",
        "20 teams": "/v2/team/list?page_size=20",
        "all teams": "/team/list",
        "25 users": "/user/list?page_size=25",
        "25 administrators": "/user/list?page_size=25&role=proxy_admin",
        "organizations": "/organization/list",
        "customers": "/customer/list",
        "/global/spend/keys": "/global/spend/keys?limit=100",
        "/global/spend/teams": "/global/spend/teams",
    }


def ask_gateway(place: Place, company: Company, servers: Sequence[int], told: Callable[[str, int, int], None]) -> Asked:
    """Start a gateway on the ledger and ask it; the processor time of ``servers`` and their children counts, too."""
    folder, environment = place.gateway()
    gateway = Gateway({"model_list": []}, env=environment)
    if folder is not None:
        gateway.data_dir = folder
    with gateway:
        gateway.launch()
        costs = {}
        wanted = paths(company)
        for number, (name, path) in enumerate(wanted.items()):
            told("questions", number, len(wanted))
            costs[name] = _cost(gateway, path, (gateway.process.pid, *servers))
        megabytes = sum(map(resident_kilobytes, process_tree(gateway.process.pid))) / 1024
        return Asked(gateway.ready_seconds, megabytes, costs)


def _cost(gateway: Gateway, path: str, processes: Sequence[int]) -> Cost:
    waited: list[float] = []
    worked: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=_SECONDS_MAX)
    try:
        for _ in range(_ROUNDS):
            spending, started = Spending(processes), time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {MASTER_KEY}"})
            answer = connection.getresponse()
            body = answer.read()
            waited.append((time.perf_counter() - started) * 1000)
            worked.append(spending.seconds() * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path} was answered with {answer.status}: {body[:300].decode()}")
    finally:
        connection.close()
    return Cost(sorted(waited)[_ROUNDS // 2], sorted(worked)[_ROUNDS // 2])
