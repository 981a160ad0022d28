"""Answers for tests, said by what they hold."""

from __future__ import annotations

from typing import Any

from pointsman.core.content import Refusal, Text, Thinking, ToolCall
from pointsman.core.reply import Choice, Said


def choice_of(
    text: str = "",
    *,
    thinking: str = "",
    signature: str | None = None,
    redacted: bool = False,
    signer: str | None = None,
    refusal: str | None = None,
    tool_calls: tuple[ToolCall, ...] = (),
    **fields: Any,
) -> Choice:
    """A choice in the order in which models mostly speak: reasoning, text, refusal, calls."""
    parts: list[Said] = []
    if thinking or (signature is not None and not redacted):
        own = None if redacted else signature
        parts.append(Thinking(thinking, own, signer=None if own is None else signer))
    if redacted:
        parts.append(Thinking("", signature, redacted=True, signer=signer))
    if text:
        parts.append(Text(text))
    if refusal is not None:
        parts.append(Refusal(refusal))
    return Choice(parts=(*parts, *tool_calls), **fields)
