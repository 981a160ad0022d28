"""Reasoning of former turns that the upstream of this one cannot read, taken out of a request for a response.

Source: https://platform.openai.com/docs/guides/reasoning, "Encrypted reasoning items".
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Ask

__all__ = ["forget_reasoning"]

_INPUT: Final = "input"
_REASONING: Final = msgspec.Raw(b'"reasoning"')

_items: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def forget_reasoning(ask: Ask) -> None:
    """Leave out the items of ``input`` that are reasoning, and the ids that tie others to them."""
    raw = ask.fields.get(_INPUT)
    try:
        items = [] if raw is None else _items(raw)
    except msgspec.MsgspecError:
        return
    if any(item.get("type") == _REASONING for item in items):
        left = [
            {name: value for name, value in item.items() if name != "id"}
            for item in items
            if item.get("type") != _REASONING
        ]
        ask.fields = {**ask.fields, _INPUT: msgspec.Raw(msgspec.json.encode(left))}
