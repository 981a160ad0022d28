"""Requests for Vertex AI's own API, passed on: always in the operator's project and location."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.access import GoogleAccess
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.google.access import google_credential
from pointsman.providers.google.lanes import GoogleServices
from pointsman.providers.google.places import VertexPlace
from pointsman.providers.tokens import Credential

__all__ = ["VertexSigner", "vertex_signer"]

_PLACED: Final = re.compile(r"/(?:(v\d+(?:(?:alpha|beta)\d*)?)/)?(?:projects/[^/]+/locations/[^/]+/)?(.*)", re.DOTALL)
_NOTHING: Final = Ask(Operation.PASS_THROUGH, "", {})


def vertex_signer(deployment: Deployment, services: GoogleServices) -> VertexSigner:
    """Who lets in what is passed on to the cloud of a deployment."""
    access = deployment.access if isinstance(deployment.access, GoogleAccess) else GoogleAccess()
    credential = google_credential(access, services.book)
    return VertexSigner(VertexPlace(deployment, access, credential), credential)


class VertexSigner:
    """See :class:`pointsman.providers.pass_through.PassageSigner`.

    As in LiteLLM, whatever project and location a path names, those of the operator take their place.
    """

    def __init__(self, place: VertexPlace, credential: Credential) -> None:
        self._place = place
        self._credential = credential

    async def signed(self, outbound: Outbound) -> Outbound:
        """See the protocol."""
        await self._credential.prepare(_NOTHING)
        path, mark, query = outbound.path.decode("ascii").partition("?")
        found = _PLACED.fullmatch(path)
        version, rest = (found[1], found[2]) if found is not None else (None, path.lstrip("/"))
        target = f"{self._place.root(version or 'v1')}/{rest}{mark}{query}".encode("ascii")
        kept = tuple((name, value) for name, value in outbound.headers if name.lower() != "authorization")
        return msgspec.structs.replace(outbound, path=target, headers=(*kept, *self._credential.headers()))

    def answered(self, status: int, _body: bytes) -> None:
        """See the protocol."""
        self._credential.answered(status)
