"""The last word on an upstream's request: ``additional_drop_params`` in the upstream's own names."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.parameters import Dropped
from pointsman.providers.registry import find_provider

__all__ = ["finished"]

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def finished(outbound: Outbound, dropped: Dropped, deployment: Deployment) -> Outbound:
    """The request without what the operator has dropped.

    Paths are the upstream's, as in LiteLLM. Names are the client's, and have been dropped from its request; they are
    dropped once more only where the upstream speaks OpenAI's dialect, in which they mean the same: there they also take
    out what was added on the way, ``stream_options`` say.
    """
    provider = find_provider(deployment.provider)
    if provider is not None and provider.native is not None:
        dropped = Dropped(paths=dropped.paths)
    if not dropped:
        return outbound
    return msgspec.structs.replace(outbound, body=_encode(dropped.left_of(_decode(outbound.body))))
