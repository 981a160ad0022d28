"""Reads the answers to control questions: who let us in, who is there, whether the model is.

Whoever is not allowed to list models may still be allowed to call one, and many servers know a model by more names
than they list; so only what proves a failure is one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.catalog.suggest import nearest
from pointsman.core.upstream import Deployment
from pointsman.dialects.ollama.errors import read_error as read_ollama_error
from pointsman.dialects.openai_errors import read_error
from pointsman.providers.health.hops import Hop
from pointsman.providers.transport import FetchReply

__all__ = ["is_named", "read_list", "read_model", "read_sign_of_life", "read_tags"]

_LET_IN: Final = "The credentials are accepted."
_SHOWN_CHARACTERS_MAX: Final = 300
_BAD_GEMINI_KEY: Final = (b"API_KEY_INVALID", b"API key not valid")
_SHOWN_MAX: Final = 3


class _Tag(msgspec.Struct):
    name: str


class _Tags(msgspec.Struct):
    models: list[_Tag] | None


class _Card(msgspec.Struct):
    id: str
    owned_by: str | None = None


class _Cards(msgspec.Struct):
    data: list[_Card]


_decode_tags: Final = msgspec.json.Decoder(_Tags).decode
_decode_cards: Final = msgspec.json.Decoder(_Cards | list[_Card]).decode


def read_tags(reply: FetchReply, deployment: Deployment) -> tuple[Hop, ...]:
    """Ollama's ``/api/tags``: a model that is not there cannot be called."""
    if reply.status in {404, 405}:
        return (_not_the_server("Ollama"),)
    if reply.status >= 300:
        return _refusal(reply, deployment)
    try:
        models = _decode_tags(reply.body).models or []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return (_not_the_server("Ollama"),)
    names = {tag.name for tag in models}
    server = Hop("server", "ok", f"Ollama answers and has {_count(len(names), 'model')}.")
    if not is_named(deployment):
        return (server,)
    wanted = deployment.model if ":" in deployment.model.rpartition("/")[2] else f"{deployment.model}:latest"
    if wanted in names:
        return server, Hop("model", "ok", f"{wanted} is there.")
    told = f"{deployment.model!r} is not there." + _others(deployment.model, names)
    return server, Hop("model", "failed", told, f"Run: ollama pull {deployment.model}")


def read_list(reply: FetchReply, deployment: Deployment) -> tuple[Hop, ...]:
    """A list of models in OpenAI's form."""
    if reply.status in {404, 405, 501}:
        return (Hop("server", "ok", "The server answers; it lists no models, so only a call can tell more."),)
    if reply.status >= 300:
        return _refusal(reply, deployment)
    try:
        found = _decode_cards(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return (_not_the_server("an OpenAI-compatible server"),)
    cards = found if isinstance(found, list) else found.data
    hops = _let_in(deployment)
    hops += (Hop("server", "ok", f"The server answers and lists {_count(len(cards), 'model')}."),)
    names = {card.id for card in cards}
    if not is_named(deployment):
        return hops
    if deployment.model in names:
        return *hops, Hop("model", "ok", f"{deployment.model} is there.")
    told = f"{deployment.model!r} is not in its list." + _others(deployment.model, names)
    if cards and all(card.owned_by == "vllm" for card in cards):
        hint = "Start vLLM with this model, or with --served-model-name, or change litellm_params.model."
        return *hops, Hop("model", "failed", told, hint)
    return *hops, Hop("model", "warning", told, "It may know the model all the same; a call tells.")


def read_model(reply: FetchReply, deployment: Deployment) -> tuple[Hop, ...]:
    """One model, by its name, from a cloud that has such a route."""
    if reply.status == 404:
        told = f"The provider has no model {deployment.model!r}, or not for this key."
        hint = "Check litellm_params.model against the provider's list of models."
        return *_let_in(deployment), Hop("server", "ok", "The server answers."), Hop("model", "failed", told, hint)
    if reply.status >= 300:
        return _refusal(reply, deployment)
    model = Hop("model", "ok", f"{deployment.model} is there.")
    return *_let_in(deployment), Hop("server", "ok", "The server answers."), model


def read_sign_of_life(reply: FetchReply, deployment: Deployment) -> tuple[Hop, ...]:
    """Any answer from a server that has no question about a single model."""
    if reply.status >= 500 or reply.status in {401, 402}:
        return _refusal(reply, deployment)
    hops = _let_in(deployment) if reply.status < 300 else ()
    return *hops, Hop("server", "ok", "The server answers; whether it serves the model only a call can tell.")


def is_named(deployment: Deployment) -> bool:
    """Whether it is for one model, and not for whatever a wildcard stands for."""
    return "*" not in deployment.model


def _refusal(reply: FetchReply, deployment: Deployment) -> tuple[Hop, ...]:
    """What an answer that is none means."""
    status, said = reply.status, _said(reply, deployment)
    if status == 401 or (status == 400 and any(word in reply.body for word in _BAD_GEMINI_KEY)):
        hint = "Check litellm_params.api_key, or the variable that it comes from."
        if deployment.api_key is None and deployment.access is None:
            hint = "It wants a key: set litellm_params.api_key."
        return (Hop("credentials", "failed", f"The credentials are refused ({status}): {said}", hint),)
    if status == 402:
        hint = "Top up the account, or use another key."
        return (Hop("credentials", "failed", f"The account may not be used ({status}): {said}", hint),)
    server = Hop("server", "ok", "The server answers.")
    if status == 403:
        told = f"The key may not list models ({status}): {said}"
        return server, Hop("credentials", "warning", told, "It may be allowed to call one; a call tells.")
    if status == 429:
        return (Hop("server", "warning", f"The server answers, and limits us at the moment: {said}"),)
    if 300 <= status < 400:
        told = f"The server sends us elsewhere ({status})."
        return (Hop("server", "failed", told, "Set api_base to the address that it means, with https if need be."),)
    if status >= 500:
        loading = "It may still be loading its model; look at its log." if deployment.local else None
        return (Hop("server", "failed", f"The server is not well ({status}): {said}", loading),)
    return (Hop("server", "warning", f"The server answers, but not this question ({status}): {said}"),)


def _said(reply: FetchReply, deployment: Deployment) -> str:
    """The server's own words, fit to be repeated."""
    read = read_ollama_error if deployment.provider in {"ollama", "ollama_chat"} else read_error
    said = read(max(reply.status, 400), reply.body).message
    key = "" if deployment.api_key is None else deployment.api_key.reveal()
    return said.replace(key, "…") if key else said


def _let_in(deployment: Deployment) -> tuple[Hop, ...]:
    """Whoever asks for no key proves nothing about it."""
    return () if deployment.api_key is None and deployment.access is None else (Hop("credentials", "ok", _LET_IN),)


def _not_the_server(expected: str) -> Hop:
    hint = "Check litellm_params.api_base: something else listens there, or its path is missing (as /v1)."
    return Hop("server", "failed", f"What answers is not {expected}.", hint)


def _others(wanted: str, names: set[str]) -> str:
    """What there is instead: the nearest names, or some."""
    if not names:
        return " It has none at all."
    some = sorted(names)
    shown = ", ".join(nearest(wanted, some, count=_SHOWN_MAX) or some[:_SHOWN_MAX])
    told = f" It has {shown}{', …' if len(names) > _SHOWN_MAX else '.'}"
    return told[:_SHOWN_CHARACTERS_MAX]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
