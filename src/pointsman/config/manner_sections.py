"""Those of ``litellm_params`` that change what an upstream is told, or what becomes of its answer."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pointsman.config.deployment_sections import ParamTerms
from pointsman.config.value_types import Name

__all__ = ["CachePoint", "MannerParams"]


class CachePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a prefix ends that is to be cached: one of ``cache_control_injection_points``.

    ``control`` is JSON, as Anthropic has it.
    """

    location: Annotated[str, Meta(pattern="^(message|tool_config)$", description="message or tool_config")] = "message"
    role: Name | None = None
    index: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    control: msgspec.Raw | None = None


class MannerParams(ParamTerms, frozen=True, kw_only=True):
    """See :class:`pointsman.config.sections.LiteLLMParams`, which has these fields too.

    ``mock_response`` is JSON: a text, an embedding, or a whole chat completion, in place of an upstream's answer.
    """

    mock_response: msgspec.Raw | None = None
    merge_reasoning_content_in_choices: bool = False
    cache_control_injection_points: tuple[CachePoint, ...] = ()
