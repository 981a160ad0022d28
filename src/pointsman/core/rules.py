"""What a request may say about its own parameters, and about its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["NO_ROUTING_RULES", "OwnLists", "ParameterRules", "RoutingRules", "Target"]


class ParameterRules(msgspec.Struct, frozen=True):
    """In LiteLLM's names: https://docs.litellm.ai/docs/completion/drop_params.

    ``drop_params`` None: as the operator has it. The lists add to the operator's.
    """

    drop_params: bool | None = None
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True):
    """A model to turn to. ``fields`` replace those of the request: raw JSON by name, in the client's dialect."""

    model: str
    fields: Mapping[str, msgspec.Raw] = {}


class OwnLists(msgspec.Struct, frozen=True):
    """The models to turn to, by the one that failed, which a key or team has in place of the operator's.

    None: the operator's count.
    """

    general: Mapping[str, tuple[Target, ...]] | None = None
    context_window: Mapping[str, tuple[Target, ...]] | None = None
    content_policy: Mapping[str, tuple[Target, ...]] | None = None


class RoutingRules(msgspec.Struct, frozen=True):
    """What a request says of its own way, in LiteLLM's names: https://docs.litellm.ai/docs/proxy/reliability.

    ``num_retries`` and lists of fallbacks None: as the operator has them; an empty list means none. ``rehearsal`` is
    the field that asks to act as if the model had failed. ``prefer`` (``local``, ``cheap``, ``fast`` or empty) and
    ``max_cost`` (picodollars, None: any) are our own. ``region``: only what is in it may serve. ``waits``: it can wait
    behind those whose people wait. ``timeout`` is how many seconds an attempt may take, ``stream_timeout`` how many a
    stream may until its answer begins.

    Only the settings of a key or a team say the rest: ``lists``; ``retry_policies``, by model, numbers by LiteLLM's
    names for errors; ``strategy``; ``weights`` of deployments, by model and id; ``filters_by_tags``.
    """

    num_retries: int | None = None
    fallbacks: tuple[Target, ...] | None = None
    context_window_fallbacks: tuple[Target, ...] | None = None
    content_policy_fallbacks: tuple[Target, ...] | None = None
    disable_fallbacks: bool = False
    include_fallback_errors: bool = False
    rehearsal: str | None = None
    tags: tuple[str, ...] = ()
    session: str | None = None
    prefer: str = ""
    max_cost: int | None = None
    region: str | None = None
    waits: bool = False
    timeout: float | None = None
    stream_timeout: float | None = None
    lists: OwnLists | None = None
    retry_policies: Mapping[str, Mapping[str, int]] | None = None
    strategy: str = ""
    weights: Mapping[str, Mapping[str, float]] = {}
    filters_by_tags: bool = False

    @property
    def demands_something(self) -> bool:
        """Whether it says who is to serve the request."""
        said = self.prefer or self.strategy or self.filters_by_tags
        return bool(said) or self.max_cost is not None or self.region is not None


NO_ROUTING_RULES: Final = RoutingRules()
