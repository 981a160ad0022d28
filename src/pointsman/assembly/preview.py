"""The request that an upstream would be sent, written as for a call and shown instead of sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.office import Preview
from pointsman.core.address import without_address
from pointsman.core.errors import Unsupported
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Deployment, Operation, Outbound
from pointsman.lifecycle.choose import choose
from pointsman.lifecycle.house import House
from pointsman.policies.principal import Principal
from pointsman.providers.transport import Origin

__all__ = ["preview"]

_MASK: Final = "****"
_PLAIN: Final = frozenset({"anthropic-beta", "anthropic-version", "openai-beta"})
"""Headers whose values are nobody's secret."""

_SECRET: Final = re.compile(r"key|token|secret|password|credential|auth", re.IGNORECASE)
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


async def preview(
    house: House, dialects: Mapping[Operation, ClientDialect], caller: Principal, operation: Operation, body: bytes
) -> Preview:
    """What would be sent for ``body`` of a client that asks for ``operation``.

    Raises:
        GatewayError: the request would be refused; the message says why.
    """
    dialect = dialects.get(operation)
    if dialect is None:
        raise Unsupported(f"{operation.value} is not served here.", param="call_type")
    ask = dialect.read_ask(body, operation, None)
    deployment = choose(ask, caller, house).member.deployment
    ask.owner, ask.is_preview = caller.owner, True
    lane = house.lanes.lane(ask.operation, deployment)
    if lane.prepares:
        await lane.prepare(ask)
    outbound = lane.write(ask)
    url = Origin.parse(deployment.api_base).url + outbound.path.decode("ascii")
    shown = url if caller.admin else without_address(url, deployment.api_base, deployment.group)
    return Preview(url=shown, body=_shown_body(outbound, deployment), headers=_shown_headers(outbound, deployment))


def _shown_body(outbound: Outbound, deployment: Deployment) -> msgspec.Raw:
    """The body, without credentials that the operator has put into it."""
    if outbound.content_type != b"application/json":
        return msgspec.Raw(_encode(f"{len(outbound.body)} bytes of {outbound.content_type.decode('ascii')}"))
    fields = _decode(outbound.body)
    for name in deployment.pinned.keys() & fields.keys():
        if _SECRET.search(name) and fields[name] == deployment.pinned[name]:
            fields[name] = msgspec.Raw(_encode(_MASK))
    return msgspec.Raw(_encode(fields))


def _shown_headers(outbound: Outbound, deployment: Deployment) -> tuple[tuple[str, str], ...]:
    """The headers that matter, later ones of a name in place of earlier ones."""
    found = {"content-type": ("Content-Type", outbound.content_type.decode("ascii"))}
    if deployment.api_key is not None:
        name = deployment.key_header
        found[name.lower()] = (name, f"Bearer {_MASK}" if name == "Authorization" else _MASK)
    for name, value in (*deployment.headers.items(), *outbound.headers):
        found[name.lower()] = (name, value.reveal() if name.lower() in _PLAIN else _MASK)
    return tuple(found.values())
