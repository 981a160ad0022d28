"""The lanes to Azure: an OpenAI client's requests take the express lane, all others are translated."""

from __future__ import annotations

from typing import Final

from pointsman.core.access import AzureAccess
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.azure.access import azure_credential
from pointsman.providers.azure.places import azure_path, model_in_azure
from pointsman.providers.express import ExpressLane, ExpressWay
from pointsman.providers.tokens import TokenBook
from pointsman.providers.translated import FarSide, OpenAIChatFar, SignedFar, has_newer_limit, translated_lane

__all__ = ["azure_lane"]

_EXPRESS: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING})


def azure_lane(deployment: Deployment, operation: Operation, book: TokenBook) -> Lane:
    """The lane for ``operation`` to a deployment of the providers ``azure``, ``azure_text`` and ``azure_ai``.

    Raises:
        Unsupported: this operation is no conversation, completion or embedding.
    """
    access = deployment.access if isinstance(deployment.access, AzureAccess) else AzureAccess()
    credential = azure_credential(deployment, access, book)
    path = azure_path(deployment, operation, access.api_version)
    model = model_in_azure(deployment)
    if operation in _EXPRESS:
        way = ExpressWay(path, path, model, credential, newer_limit=has_newer_limit(deployment))
        return ExpressLane(deployment, operation, way)
    far: FarSide = OpenAIChatFar(path, model=model)
    if credential is None:
        return translated_lane(operation, far, deployment)
    return translated_lane(operation, SignedFar(far, credential), deployment, (credential.prepare,))
