"""What a request may say about its own parameters."""

from __future__ import annotations

import msgspec

__all__ = ["ParameterRules"]


class ParameterRules(msgspec.Struct, frozen=True):
    """In LiteLLM's names: https://docs.litellm.ai/docs/completion/drop_params.

    ``drop_params`` None: as the operator has it. The lists add to the operator's.
    """

    drop_params: bool | None = None
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: tuple[str, ...] = ()
