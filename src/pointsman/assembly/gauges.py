"""What is true at the moment at which Prometheus asks: sizes, and counts that no call record has."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman.admin.models.description import address_without_secrets
from pointsman.policies.bearers.bearers import BEARERS_CACHED_MAX
from pointsman.routing.hosts import Host
from pointsman.telemetry.series import Histogram, HostSeries
from pointsman.wire.limits import KEYS_CACHED_MAX

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["Truncations", "gauges", "host_series", "resident_bytes", "save_counts"]

_SAVE_SECONDS: Final = 1.0
_STATM: Final = Path("/proc/self/statm")
_log: Final = logging.getLogger("pointsman")


class Truncations:
    """Tells of prompts that an upstream seems to have cut, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def tell(self, deployment_id: str, sent: int, counted: int) -> None:
        """The upstream ``counted`` far fewer prompt tokens than were ``sent`` (an estimate)."""
        self.count += 1
        _log.warning(
            "Deployment %s counted only %d tokens of a prompt of about %d: it may have been cut.",
            deployment_id,
            counted,
            sent,
        )


def gauges(gateway: Gateway) -> Mapping[str, float]:
    """Metric name → its value now."""
    idle = busy = opened = 0
    for counts in gateway.transport.counts().values():
        idle += counts[0]
        busy += counts[1]
        opened += counts[2]
    return {
        "litellm_in_flight_requests": float(gateway.admission.in_flight),
        "pointsman_keys_cached": float(len(gateway.keyring)),
        "pointsman_keys_cached_max": float(KEYS_CACHED_MAX),
        "pointsman_signed_tokens_cached": float(len(gateway.keyring.bearers or ())),
        "pointsman_signed_tokens_cached_max": float(BEARERS_CACHED_MAX),
        "pointsman_spool_records": float(gateway.storage.mover.backlog().records),
        "pointsman_spool_lost_records_total": float(gateway.storage.spool.lost),
        "pointsman_resident_memory_bytes": float(resident_bytes()),
        "pointsman_upstream_connections_idle": float(idle),
        "pointsman_upstream_connections_busy": float(busy),
        "pointsman_upstream_connections_opened_total": float(opened),
        "pointsman_context_truncations_total": float(gateway.truncations.count),
        **({} if gateway.replicas is None else gateway.replicas.gauges()),
    }


async def save_counts(gateway: Gateway) -> None:
    """Let the other workers see what this one has counted, every second; runs until cancelled."""
    while True:
        await asyncio.sleep(_SAVE_SECONDS)
        gateway.metrics.save()
        gateway.traffic.book.save()


def host_series(hosts: Iterable[Host]) -> list[HostSeries]:
    """Who waits for each local server and runs there, and how long the waits were."""
    return [
        HostSeries(
            address_without_secrets(host.url),
            host.queued,
            host.busy,
            Histogram.empty()
            if host.queue is None
            else Histogram(list(host.queue.wait_counts), host.queue.wait_seconds),
            0.0 if host.power is None else host.power.idle_watt_hours,
        )
        for host in hosts
    ]


def resident_bytes(statm: Path = _STATM) -> int:
    """Memory that the process holds now; where the system does not tell (no ``/proc``), the most it ever held.

    ``statm`` counts pages; its second number is the resident ones (proc(5)).
    """
    try:
        return int(statm.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
