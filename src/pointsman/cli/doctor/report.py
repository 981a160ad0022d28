"""What was found, for the reader and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, get_args

import msgspec

from pointsman.providers.health import Hop, HopName

__all__ = ["DeploymentReport", "Report", "ServerReport", "told"]

_MARKS: Final = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "·"}
_ORDER: Final[tuple[str, ...]] = get_args(HopName)
_NAME_CHARACTERS: Final = max(map(len, _ORDER))


class DeploymentReport(msgspec.Struct, frozen=True):
    """The way from a server's door to one model's answer."""

    model_name: str
    model: str
    model_id: str
    hops: tuple[Hop, ...]


class ServerReport(msgspec.Struct, frozen=True):
    """The way to a server's door, and what lies behind it."""

    address: str
    hops: tuple[Hop, ...]
    deployments: tuple[DeploymentReport, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """Everything; ``ok`` where nothing has failed."""

    ok: bool
    configuration: tuple[Hop, ...]
    gateway: tuple[Hop, ...]
    servers: tuple[ServerReport, ...]

    @classmethod
    def of(cls, configuration: tuple[Hop, ...], gateway: tuple[Hop, ...], servers: tuple[ServerReport, ...]) -> Report:
        """The report of these findings."""
        report = cls(True, configuration, gateway, servers)
        return msgspec.structs.replace(report, ok=not any(hop.failed for hop in report.hops()))

    def hops(self) -> Iterator[Hop]:
        """Every hop of every way."""
        yield from (*self.configuration, *self.gateway)
        for server in self.servers:
            yield from server.hops
            for deployment in server.deployments:
                yield from deployment.hops


def told(report: Report) -> Iterator[str]:
    """The report in lines."""
    yield "configuration"
    yield from _lines(report.configuration, "  ", named=False)
    if report.gateway:
        yield "\ngateway"
        yield from _lines(report.gateway, "  ")
    for server in report.servers:
        yield f"\n{server.address}"
        yield from _lines(server.hops, "  ")
        for deployment in server.deployments:
            yield f"  {deployment.model_name}  ({deployment.model})"
            yield from _lines(deployment.hops, "    ")
    yield ""
    yield _summary(report)


def _lines(hops: Iterable[Hop], indent: str, *, named: bool = True) -> Iterator[str]:
    for hop in sorted(hops, key=lambda hop: _ORDER.index(hop.name)):
        name = f"{hop.name:{_NAME_CHARACTERS}}  " if named else ""
        seconds = "" if hop.seconds is None else f"  ({_duration(hop.seconds)})"
        yield f"{indent}{_MARKS[hop.status]} {name}{hop.told}{seconds}"
        if hop.hint and hop.status != "ok":
            yield f"{indent}  {' ' * len(name)}→ {hop.hint}"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1.0 else f"{seconds * 1000.0:.1f} ms"


def _summary(report: Report) -> str:
    hops = list(report.hops())
    failed = sum(hop.failed for hop in hops)
    warned = sum(hop.status == "warning" for hop in hops)
    models = [one for server in report.servers for one in server.deployments]
    well = sum(not any(hop.failed or hop.status == "skipped" for hop in one.hops) for one in models)
    words = [f"{well} of {len(models)} deployments are well"]
    words += [f"{failed} {'hop' if failed == 1 else 'hops'} failed"] if failed else []
    words += [f"{warned} {'warning' if warned == 1 else 'warnings'}"] if warned else []
    return ", ".join(words) + "."
