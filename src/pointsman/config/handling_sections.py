"""Those of ``litellm_params`` that change what an upstream is told, or what becomes of its answer."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pointsman.config.deployment_sections import ParamTerms
from pointsman.config.value_types import Name, PositiveCount

__all__ = ["CachePoint", "HandlingParams", "SessionTag"]


class CachePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a prefix ends that is to be cached: one of ``cache_control_injection_points``.

    ``control`` is JSON, as Anthropic has it.
    """

    location: Annotated[str, Meta(pattern="^(message|tool_config)$", description="message or tool_config")] = "message"
    role: Name | None = None
    index: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    control: msgspec.Raw | None = None


class SessionTag(msgspec.Struct, frozen=True, kw_only=True):
    """One of ``aws_session_tags``, with AWS's own names and bounds."""

    Key: Annotated[str, Meta(min_length=1, max_length=128, description="a name of at most 128 characters")]
    Value: Annotated[str, Meta(max_length=256, description="text of at most 256 characters")]


class HandlingParams(ParamTerms, frozen=True, kw_only=True):
    """See :class:`pointsman.config.sections.LiteLLMParams`, which has these fields too.

    ``mock_response`` is JSON: a text, an embedding, or a whole chat completion, in place of an upstream's answer.
    """

    mock_response: msgspec.Raw | None = None
    merge_reasoning_content_in_choices: bool = False
    cache_control_injection_points: tuple[CachePoint, ...] = ()
    use_chat_completions_api: bool = False
    use_in_pass_through: bool | None = None
    max_file_size_mb: Annotated[float, Meta(gt=0)] | None = None
    output_vector_size: PositiveCount | None = None
    fireworks_forward_user_id: bool = False
    responses_api_version: Name | None = None
    aws_session_tags: tuple[SessionTag, ...] = ()
