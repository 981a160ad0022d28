"""From an entry of ``model_list`` to how the deployment is handled, where that is not as all others are."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.config.sections import LiteLLMParams, ModelEntry
from pointsman.core.errors import Misconfigured
from pointsman.core.handling import USUAL, CacheMark, Handling
from pointsman.providers.mocked import mock_problem

__all__ = ["handling_of", "sound_mock"]

_FIREWORKS: Final = "fireworks_ai"
_ON_TOOLS: Final = "tool_config"


def handling_of(params: LiteLLMParams, provider: str, *, chats_only: bool) -> Handling:
    """``chats_only``: the model's name says so already."""
    marks = tuple(
        CacheMark(point.location == _ON_TOOLS, point.role, point.index, point.control)
        for point in params.cache_control_injection_points
    )
    found = Handling(
        mock_response=params.mock_response,
        merges_reasoning=params.merge_reasoning_content_in_choices,
        cache_marks=marks,
        chats_only=chats_only or params.use_chat_completions_api,
        lends=params.use_in_pass_through,
        upload_megabytes_max=params.max_file_size_mb,
        forwards_user=params.fireworks_forward_user_id and provider == _FIREWORKS,
    )
    return USUAL if found == USUAL else found


def sound_mock(entry: ModelEntry) -> msgspec.Raw | None:
    """What an entry answers in place of an upstream.

    Raises:
        Misconfigured: it is nothing that can be answered.
    """
    mock = entry.litellm_params.mock_response
    problem = None if mock is None else mock_problem(mock)
    if problem is not None:
        raise Misconfigured(f"The model {entry.model_name!r}: litellm_params.mock_response {problem}")
    return mock
