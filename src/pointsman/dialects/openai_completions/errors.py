"""Errors of legacy completions have the shape of the whole OpenAI family."""

from __future__ import annotations

from pointsman.dialects.openai_fields import write_error, write_stream_error

__all__ = ["write_error", "write_stream_error"]
