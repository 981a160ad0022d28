"""Bodies as Google's Gemini sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["SIGNATURE", "answer", "call_part", "google_error", "pieces", "text_part", "thought_part", "usage_metadata"]

SIGNATURE = "c2lnbmF0dXJlLW9mLWEtdGhvdWdodA=="


def text_part(text: str) -> dict[str, Any]:
    """Words of the answer."""
    return {"text": text}


def thought_part(text: str) -> dict[str, Any]:
    """Words of a thought."""
    return {"text": text, "thought": True}


def call_part(name: str, args: dict[str, Any], *, signature: str | None = None) -> dict[str, Any]:
    """A whole call of a function; Gemini signs the first of several."""
    part: dict[str, Any] = {"functionCall": {"name": name, "args": args}}
    return part if signature is None else {**part, "thoughtSignature": signature}


def usage_metadata(prompt: int, candidates: int, *, thoughts: int = 0, cached: int = 0) -> dict[str, Any]:
    """The counts; thoughts stand beside the answer, what was cached within the prompt."""
    counts: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "totalTokenCount": prompt + candidates + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    if cached:
        counts["cachedContentTokenCount"] = cached
    return counts


def answer(
    parts: Sequence[dict[str, Any]], counts: dict[str, Any], *, reason: str | None = "STOP", model: str = "gemini"
) -> dict[str, Any]:
    """A whole answer, or one event of a stream (then ``reason`` is None until the last)."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": model, "responseId": "resp-1"}


def pieces(parts: Sequence[dict[str, Any]], counts: dict[str, Any], *, reason: str = "STOP") -> list[dict[str, Any]]:
    """The events of a stream, one part each; the reason comes with the last."""
    last = len(parts) - 1
    return [answer([part], counts, reason=reason if number == last else None) for number, part in enumerate(parts)]


def google_error(code: int, status: str, message: str) -> dict[str, Any]:
    """An error in Google's shape."""
    return {"error": {"code": code, "message": message, "status": status}}
