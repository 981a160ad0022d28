"""``thinking_blocks``: reasoning with the signatures that its provider wants back.

Source: https://docs.litellm.ai/docs/reasoning_content. Signatures in them are Anthropic's, as with LiteLLM.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import Thinking
from pointsman.dialects.openai_chat.types import ThinkingBlock
from pointsman.dialects.signatures import ANTHROPIC, seal, unseal
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["Thoughts", "read_thinking_blocks", "write_thinking_block"]

_REDACTED: Final = "redacted_thinking"


def read_thinking_blocks(blocks: Iterable[ThinkingBlock]) -> list[Thinking]:
    """The reasoning in them; those that hold nothing are left out."""
    parts = [
        Thinking("", block.data, redacted=True)
        if block.type == _REDACTED
        else Thinking(block.thinking or "", block.signature or None)
        for block in blocks
    ]
    return [unseal(part, ANTHROPIC) for part in parts if part.text or part.signature]


def write_thinking_block(part: Thinking, index: int | None = None) -> ThinkingBlock:
    """A block; ``index`` counts those of a stream."""
    signature = None if part.signature is None else seal(part.signature, part.signer, ANTHROPIC, redacted=part.redacted)
    if part.redacted:
        return ThinkingBlock(_REDACTED, index, data=signature)
    return ThinkingBlock("thinking", index, part.text, signature)


class Thoughts:
    """The reasoning of one choice of a stream, kept until it is signed, so that the block can be told whole."""

    __slots__ = ("_blocks", "_held", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._held = self._blocks = 0

    def add(self, text: str) -> None:
        """More of it; of a runaway, which nobody could send back, nothing is kept."""
        self._held += len(text)
        if self._held <= EVENT_BYTES_MAX:
            self._pieces.append(text)
        else:
            self._pieces.clear()

    def sign(self, part: Thinking) -> ThinkingBlock:
        """The block for the signature in ``part``."""
        if not part.redacted:
            part = msgspec.structs.replace(part, text="".join(self._pieces))
            self._pieces.clear()
            self._held = 0
        self._blocks += 1
        return write_thinking_block(part, self._blocks - 1)
