"""``/api/tags``, ``/api/show``, ``/api/ps`` and ``/api/version``: what clients of Ollama ask before they chat."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from pointsman.admin.models.description import described
from pointsman.admin.models.visible import visible_group, visible_groups
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Forbidden, NotFound, Unsupported
from pointsman.core.upstream import Deployment
from pointsman.dialects.ollama.client_models import (
    ListedModel,
    ModelDetails,
    RunningModel,
    read_show_request,
    write_ps,
    write_show,
    write_tags,
    write_version,
)
from pointsman.providers.discovery.found import FoundModel
from pointsman.providers.ollama import OllamaFacts
from pointsman.providers.registry import find_provider
from pointsman.routing.table import Group

__all__ = [
    "HostQuery",
    "ManagedModelRequest",
    "ShowModelRequest",
    "copy_model",
    "create_model",
    "delete_model",
    "list_running",
    "list_tags",
    "pull_model",
    "push_model",
    "refuse_blobs",
    "show_model",
    "tell_version",
]

_VERSION: Final = "0.12.0"
"""The version of Ollama whose API is kept; clients look at it to see what they may ask."""

_SHOWN_CHARACTERS_MAX: Final = 128
_STAYS_SECONDS: Final = 300.0
"""For so long Ollama keeps a model that is not used; how much of that is left, discovery is not told."""

_WORDS: Final = {
    "tools": "tools",
    "vision": "vision",
    "reasoning": "thinking",
    "insert": "insert",
    "audio_input": "audio",
}
"""Our words for what a model can do, and Ollama's."""


async def list_tags(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Every model that the key may use, in Ollama's form."""
    return Answer(
        write_tags(_listed(office, name, group) for name, group in visible_groups(office.table(), visit.caller))
    )


class ShowModelRequest(msgspec.Struct, frozen=True):
    """The model asked about, as ``model`` or, by older clients, as ``name``."""

    model: str | None = None
    name: str | None = None


async def show_model(office: Office, visit: Visit[Nothing, ShowModelRequest]) -> Answer:
    """One model, in Ollama's form; whether it is not there or not for this key is not told."""
    name = read_show_request(msgspec.json.encode(visit.fields))
    group = visible_group(office.table(), visit.caller, name)
    if group is None:
        raise NotFound(f"model '{name[:_SHOWN_CHARACTERS_MAX]}' not found", param="model", code="model_not_found")
    listed = _listed(office, name, group)
    deployment = group.deployments[0]
    provider = find_provider(deployment.provider)
    if provider is not None and provider.native == "ollama" and not deployment.discovered:
        facts = await office.host_facts(deployment)
        listed = listed if facts is None else _with_facts(listed, facts)
    return Answer(write_show(listed))


def _with_facts(listed: ListedModel, facts: OllamaFacts) -> ListedModel:
    """The model with what its host tells, which nobody had to ask for before."""
    capabilities = listed.capabilities
    if facts.capabilities is not None:
        mode = "embedding" if "embedding" in facts.capabilities else "chat"
        capabilities = _capabilities(mode, facts.capabilities)
    context = facts.context_tokens or listed.context_tokens
    return msgspec.structs.replace(listed, capabilities=capabilities, context_tokens=context)


async def list_running(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The models that are in the memory of a host that is watched, of those that the key may use."""
    now = office.clock.wall()
    running = []
    for name, group in visible_groups(office.table(), visit.caller):
        found = next((one for one in map(partial(_found, office), group.deployments) if one and one.loaded), None)
        if found is not None:
            stays = RunningModel(_listed(office, name, group), now + _STAYS_SECONDS, found.size_bytes or 0)
            running.append(stays)
    return Answer(write_ps(running))


class ManagedModelRequest(msgspec.Struct, frozen=True):
    """The model to be pulled, made or deleted."""

    model: str | None = None
    name: str | None = None


class HostQuery(msgspec.Struct, frozen=True):
    """``host`` is the address of one of the hosts that are known, where there are several."""

    host: str | None = None


async def pull_model(office: Office, visit: Visit[HostQuery, ManagedModelRequest]) -> Answer:
    """Have a host of Ollama pull a model."""
    return await _have_done(office, visit, b"POST", b"/api/pull")


async def push_model(office: Office, visit: Visit[HostQuery, ManagedModelRequest]) -> Answer:
    """Have a host of Ollama push a model."""
    return await _have_done(office, visit, b"POST", b"/api/push")


async def create_model(office: Office, visit: Visit[HostQuery, ManagedModelRequest]) -> Answer:
    """Have a host of Ollama create a model."""
    return await _have_done(office, visit, b"POST", b"/api/create")


async def copy_model(office: Office, visit: Visit[HostQuery, ManagedModelRequest]) -> Answer:
    """Have a host of Ollama copy a model."""
    return await _have_done(office, visit, b"POST", b"/api/copy")


async def delete_model(office: Office, visit: Visit[HostQuery, ManagedModelRequest]) -> Answer:
    """Have a host of Ollama delete a model."""
    return await _have_done(office, visit, b"DELETE", b"/api/delete")


async def refuse_blobs(_office: Office, _visit: Visit[Nothing, ManagedModelRequest]) -> Answer:
    """Files of models are not uploaded through the gateway."""
    raise Unsupported(
        "Files of models are not uploaded through the gateway.",
        hint="Make the model on the host that serves it, with the command ollama.",
        status=501,
        code="model_upload_unsupported",
    )


async def _have_done(
    office: Office, visit: Visit[HostQuery, ManagedModelRequest], method: bytes, path: bytes
) -> Answer:
    if office.ollama is None:
        raise Forbidden(
            "Models are not managed through the gateway.",
            hint="Set ollama_management: true under pointsman in the configuration, or do it on the host itself.",
            code="model_management_disabled",
        )
    body = msgspec.json.encode(visit.fields)
    answer = await office.ollama.ask(visit.query.host, method, path, body)
    return Answer(b"", media_type=answer.content_type, stream=answer.pieces)


async def tell_version(_office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """The version of Ollama whose API is kept."""
    return Answer(write_version(_VERSION))


def _listed(office: Office, name: str, group: Group) -> ListedModel:
    known = described(group.deployments[0], office.facts)
    capabilities = _capabilities(known.mode, known.capabilities)
    found = _found(office, group.deployments[0])
    details = (
        ModelDetails()
        if found is None
        else ModelDetails(parameter_size=found.parameter_size or "", quantization_level=found.quantization or "")
    )
    size = 0 if found is None else found.size_bytes or 0
    return ListedModel(
        name, size_bytes=size, details=details, capabilities=capabilities, context_tokens=known.context_tokens
    )


def _capabilities(mode: str, known: frozenset[str]) -> tuple[str, ...]:
    """What the model is for, and what it can do besides, in Ollama's words."""
    more = (word for ability, word in _WORDS.items() if ability in known)
    return ("embedding" if mode == "embedding" else "completion", *more)


def _found(office: Office, deployment: Deployment) -> FoundModel | None:
    """What discovery knows of a deployment's model."""
    for host in office.hosts():
        if host.url == deployment.api_base.removesuffix("/v1"):
            return next((model for model in host.models if model.name == deployment.model), None)
    return None
