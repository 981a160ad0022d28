"""Loading on LM Studio, whose models are loaded as *instances*, each with an id of its own.

Source: https://lmstudio.ai/docs/developer/rest (``/api/v1/models``, ``…/load``, ``…/unload``), version 0.4 and later. A
load of a model that is loaded would make a second instance, so it is looked at first.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken, Rejected, Unsupported
from pointsman.core.upstream import Deployment
from pointsman.providers.loading.asking import control_headers, refused, server_of
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["LMStudioLoads"]

_QUESTION_SECONDS_MAX: Final = 10.0
_INSTANCES_MAX: Final = 64
_NOT_FOUND: Final = 404


class _Instance(msgspec.Struct, frozen=True):
    id: str


class _Model(msgspec.Struct, frozen=True):
    key: str
    loaded_instances: list[_Instance] = []


class _Models(msgspec.Struct, frozen=True):
    models: list[_Model]


class LMStudioLoads:
    """See :class:`pointsman.providers.loading.loader.LoadWay`. How long a model stays is LM Studio's own setting."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def load(self, deployment: Deployment, _keep_alive: msgspec.Raw | None) -> None:
        """See the protocol."""
        if await self._instances(deployment):
            return
        body = {"model": deployment.model}
        reply = await self._fetch("POST", deployment, "/load", body, deployment.timeouts.load)
        if reply.status != 200:
            raise refused(reply, f"LM Studio did not load {deployment.model!r}")

    async def unload(self, deployment: Deployment) -> None:
        """See the protocol."""
        for instance in (await self._instances(deployment))[:_INSTANCES_MAX]:
            reply = await self._fetch("POST", deployment, "/unload", {"instance_id": instance}, _QUESTION_SECONDS_MAX)
            if reply.status not in {200, _NOT_FOUND}:
                raise refused(reply, f"LM Studio did not unload {instance!r}")

    async def _instances(self, deployment: Deployment) -> list[str]:
        """The ids of the model's instances.

        Raises:
            Unsupported: this LM Studio is too old to be told.
            Rejected: it does not have the model.
        """
        reply = await self._fetch("GET", deployment, "", None, _QUESTION_SECONDS_MAX)
        if reply.status == _NOT_FOUND:
            raise Unsupported("This LM Studio does not load models when it is told to.", hint="Version 0.4 does.")
        if reply.status != 200:
            raise refused(reply, "LM Studio did not list its models")
        try:
            models = msgspec.json.decode(reply.body, type=_Models).models
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Broken("LM Studio's list of models cannot be read.") from None
        for model in models:
            ids = [instance.id for instance in model.loaded_instances]
            if model.key == deployment.model or deployment.model in ids:
                return ids
        raise Rejected(f"LM Studio has no model {deployment.model!r}.", status=_NOT_FOUND, code="model_not_found")

    async def _fetch(
        self, method: str, deployment: Deployment, path: str, body: dict[str, str] | None, seconds: float
    ) -> FetchReply:
        return await self._fetcher.fetch(
            method,
            f"{server_of(deployment)}/api/v1/models{path}",
            body=b"" if body is None else msgspec.json.encode(body),
            headers=control_headers(deployment),
            timeout_seconds=seconds,
        )
