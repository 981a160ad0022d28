"""What a model can be for: LiteLLM's words for ``model_info.mode``."""

from __future__ import annotations

from typing import Final

from pointsman.config.findings import Findings, Place, nearest

__all__ = ["examine_mode"]

_MODES: Final = (
    "audio_speech", "audio_transcription", "batch", "chat", "completion", "decisions", "embedding", "evaluation",
    "extraction", "guardrail", "image_edit", "image_generation", "moderation", "ocr", "realtime", "rerank", "responses",
    "search", "vector_store", "video_generation",
)  # fmt: skip
"""Those of its documentation, and what else stands in its list of models."""


def examine_mode(mode: str | None, place: Place, path: str, findings: Findings) -> None:
    """Warn of a word that is none of them; LiteLLM takes any, but a slip makes the model count as another."""
    if mode is None or mode in _MODES:
        return
    like = nearest(mode, _MODES)
    findings.warn(place, path, "is no mode that is known.", f"Did you mean {like}?" if like else None)
