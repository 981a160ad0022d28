"""What the operator says of local hosts, told to the deployments on them and to the fleet."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.config.sections import LocalHost, PointsmanSettings
from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Fleet, WakeRule, address_of
from pointsman.routing.power import Power

__all__ = ["as_its_host_has_it", "equip_hosts"]

_NOTHING: Final = 0.0


def equip_hosts(fleet: Fleet, settings: PointsmanSettings) -> None:
    """Tell each host what the settings say; a meter whose figures stay the same goes on counting."""
    wanted = {fleet.at(said.api_base).url: said for said in settings.local_hosts}
    for host in fleet.hosts:
        said = wanted.get(host.url)
        host.sleeps = said is not None and said.sleep_mode
        host.wake = None if said is None or said.wake_on_lan is None else _wake(said.wake_on_lan)
        made = None if said is None or not said.watts_busy else _power(said)
        if made is None or host.power is None or _figures(made) != _figures(host.power):
            host.power = made


def as_its_host_has_it(deployment: Deployment, settings: PointsmanSettings) -> Deployment:
    """A deployment on a local host, with what is said of that host and of all of them; any other as it is."""
    address = address_of(deployment.api_base)
    said = next((one for one in settings.local_hosts if address_of(one.api_base) == address), None)
    if said is None and not deployment.local:
        return deployment
    keep_alive = deployment.keep_alive or (said and said.keep_alive) or settings.keep_alive
    first_byte = settings.upstream_first_byte_timeout_seconds
    charges = settings.energy_counts_as_spend and said is not None and bool(said.watts_busy and said.price_kwh)
    if keep_alive is deployment.keep_alive and first_byte is None and not charges:
        return deployment
    return msgspec.structs.replace(
        deployment,
        keep_alive=keep_alive,
        charges=deployment.charges or charges,
        timeouts=msgspec.structs.replace(deployment.timeouts, first_byte=first_byte),
    )


def _power(said: LocalHost) -> Power:
    return Power(said.watts_busy or _NOTHING, said.watts_idle or _NOTHING, said.price_kwh or _NOTHING)


def _wake(text: str) -> WakeRule:
    """Read ``01:23:45:67:89:ab``, also with hyphens, and behind an ``@`` where to send the packet."""
    mac, _, place = text.partition("@")
    address, _, port = place.partition(":")
    usual = WakeRule(bytes.fromhex(mac.replace(":", "").replace("-", "")))
    return msgspec.structs.replace(usual, address=address or usual.address, port=int(port or usual.port))


def _figures(power: Power) -> tuple[float, float, float]:
    return power.watts_busy, power.watts_idle, power.price_kwh
