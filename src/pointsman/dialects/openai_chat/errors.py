"""Errors in OpenAI's shape: written for clients, read from upstreams."""

from __future__ import annotations

from pointsman.dialects.openai_errors import given_up, read_error, read_stream_error
from pointsman.dialects.openai_fields import write_error, write_stream_error

__all__ = ["given_up", "read_error", "read_stream_error", "write_error", "write_stream_error"]
