"""Which of OpenAI's parameters a deployment can be told, for ``/utils/supported_openai_params`` and ``/model/info``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from pointsman.core.upstream import Deployment
from pointsman.providers.mapping.examine import Outcome, examine_probe
from pointsman.providers.mapping.parties import CLIENT_PARTIES, far_party_of

__all__ = ["supported_by_kind", "supported_openai_params"]

_OF_EMBEDDINGS: Final = ("dimensions", "encoding_format", "user")
_CARRIED: Final = frozenset({Outcome.MAPPED, Outcome.EMULATED})
_OPENAI_CHAT: Final = CLIENT_PARTIES[0]
_KNOWN_MAX: Final = 256


def supported_openai_params(deployment: Deployment) -> tuple[str, ...] | None:
    """The parameters that have an effect there, in LiteLLM's names; None: nobody knows that kind of upstream.

    Of a parameter with several values one that has an effect is enough.
    """
    if deployment.mode == "embedding":
        return _OF_EMBEDDINGS
    return _of_chats(deployment.provider, deployment.model, deployment.capabilities)


def supported_by_kind(deployments: Iterable[Deployment]) -> Mapping[str, tuple[str, ...] | None]:
    """The same of many, by their ids: of those of one provider with the same capabilities one is looked at."""
    kinds: dict[tuple[str, bool, frozenset[str]], tuple[str, ...] | None] = {}
    found: dict[str, tuple[str, ...] | None] = {}
    for one in deployments:
        kind = (one.provider, one.mode == "embedding", one.capabilities)
        if kind not in kinds:
            kinds[kind] = supported_openai_params(one)
        found[one.id] = kinds[kind]
    return found


@lru_cache(_KNOWN_MAX)
def _of_chats(provider: str, model: str, capabilities: frozenset[str]) -> tuple[str, ...] | None:
    """By what makes a difference, so that it is found out once for each model."""
    deployment = Deployment(
        id="probe", group="probe", provider=provider, model=model, litellm_model=model,
        api_base="http://upstream.invalid", price=None, capabilities=capabilities,
    )  # fmt: skip
    party = far_party_of(deployment)
    if party is None:
        return None
    probes = [probe for probe in _OPENAI_CHAT.probes if probe.kind == "parameter"]
    found = (probe.parameter for probe in probes if examine_probe(_OPENAI_CHAT, party, probe).outcome in _CARRIED)
    return tuple(dict.fromkeys(found))
