"""Those of ``litellm_params`` that change what an upstream is told, or what becomes of its answer."""

from __future__ import annotations

import msgspec

__all__ = ["MannerParams"]


class MannerParams(msgspec.Struct, frozen=True, kw_only=True):
    """See :class:`pointsman.config.sections.LiteLLMParams`, which has these fields too.

    ``mock_response`` is JSON: a text, an embedding, or a whole chat completion, in place of an upstream's answer.
    """

    mock_response: msgspec.Raw | None = None
