"""``usageMetadata``, read and written: https://ai.google.dev/api/generate-content#UsageMetadata.

Gemini counts thoughts beside the answer and cached tokens within the prompt; the common vocabulary counts both within.
"""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.core.usage import Usage
from pointsman.dialects.gemini.types import ModalityCount, UsageMetadata

__all__ = ["read_usage", "write_usage"]


def read_usage(wire: UsageMetadata | None) -> Usage | None:
    """The counts as measured, or None where there are none."""
    if wire is None or (wire.prompt_token_count is None and wire.candidates_token_count is None):
        return None
    thoughts = wire.thoughts_token_count or 0
    return Usage(
        prompt=(wire.prompt_token_count or 0) + (wire.tool_use_prompt_token_count or 0),
        completion=(wire.candidates_token_count or 0) + thoughts,
        cached=wire.cached_content_token_count or 0,
        reasoning=thoughts,
        audio_input=_audio(wire.prompt_tokens_details),
        audio_output=_audio(wire.candidates_tokens_details),
        source="measured",
    )


def write_usage(usage: Usage) -> UsageMetadata:
    """The counts; what is zero is left out, save the three that SDKs add up."""
    answer = max(usage.completion - usage.reasoning, 0)
    return UsageMetadata(
        prompt_token_count=usage.prompt,
        candidates_token_count=answer,
        total_token_count=usage.total,
        cached_content_token_count=usage.cached or None,
        thoughts_token_count=usage.reasoning or None,
        prompt_tokens_details=_details(usage.prompt, usage.audio_input),
        candidates_tokens_details=_details(answer, usage.audio_output),
    )


def _audio(details: Iterable[ModalityCount] | None) -> int:
    return sum(one.token_count or 0 for one in details or () if one.modality == "AUDIO")


def _details(total: int, audio: int) -> list[ModalityCount] | None:
    """The modalities, where there is more to say than text."""
    if not audio:
        return None
    return [ModalityCount("TEXT", max(total - audio, 0)), ModalityCount("AUDIO", audio)]
