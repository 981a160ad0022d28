"""What a request may say about its own parameters, and about its way."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["NO_ROUTING_RULES", "OwnDemands", "ParameterRules", "RoutingRules"]


class ParameterRules(msgspec.Struct, frozen=True):
    """In LiteLLM's names: https://docs.litellm.ai/docs/completion/drop_params.

    ``drop_params`` None: as the operator has it. The lists add to the operator's.
    """

    drop_params: bool | None = None
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: tuple[str, ...] = ()


class RoutingRules(msgspec.Struct, frozen=True):
    """What a request says of its own way, in LiteLLM's names: https://docs.litellm.ai/docs/proxy/reliability.

    ``num_retries`` None: as the operator has it.
    """

    num_retries: int | None = None
    fallbacks: tuple[str, ...] = ()
    context_window_fallbacks: tuple[str, ...] = ()
    content_policy_fallbacks: tuple[str, ...] = ()
    disable_fallbacks: bool = False
    tags: tuple[str, ...] = ()
    session: str | None = None


class OwnDemands(msgspec.Struct, frozen=True):
    """What a request says in our headers of who is to serve it. ``max_cost`` is in picodollars, None: any.

    ``prefer`` is ``local``, ``cheap``, ``fast`` or empty.
    """

    prefer: str = ""
    max_cost: int | None = None


NO_ROUTING_RULES: Final = RoutingRules()
