"""Bounds the recordings that a deployment is sent: LiteLLM's ``max_file_size_mb``."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Answer, Ask, Lane, Operation, Outbound
from pointsman.dialects.openai_extras.forms import FormNotes

__all__ = ["BOUNDED", "UploadBoundLane"]

BOUNDED: Final = frozenset({Operation.TRANSCRIPTION, Operation.TRANSLATION})
"""What has recordings."""

_MEGABYTE: Final = 1024 * 1024


class UploadBoundLane:
    """See :class:`pointsman.core.upstream.Lane`; the lane inside does the work. ``megabytes`` of 2**20 bytes."""

    def __init__(self, inner: Lane, megabytes: float) -> None:
        self.prepares = inner.prepares
        self._inner = inner
        self._megabytes = megabytes

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        self._demand_small(ask)
        await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        self._demand_small(ask)
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        return self._inner.answer(ask)

    def _demand_small(self, ask: Ask) -> None:
        files = [part for part in ask.notes.form.parts if part.is_file] if isinstance(ask.notes, FormNotes) else []
        sent = sum(len(part.value) for part in files) / _MEGABYTE
        if sent > self._megabytes:
            raise Malformed(
                f"The file has {sent:.2f} MB, and {ask.model} takes {self._megabytes:g} MB at most.",
                hint="Send a shorter recording, or one in a format that takes less room.",
                param="file",
                code="file_too_large",
            )
