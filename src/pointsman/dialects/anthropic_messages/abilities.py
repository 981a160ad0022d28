"""What only some models behind this dialect can do, and what newer ones refuse; the model's name tells most of it.

Sources: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking, …/effort and
https://platform.claude.com/docs/en/about-claude/models/migration-guide.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["PLAIN", "Abilities", "abilities_of"]

_NAME: Final = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:[-.](\d{1,2})(?!\d))?(?!\d)")
_NAME_TURNED: Final = re.compile(r"claude-(\d{1,2})(?:[-.](\d{1,2}))?-([a-z]+)")
_MYTHOS: Final = "claude-mythos"

_ADAPTIVE_SINCE: Final = (4, 6)
_WITHOUT_BUDGETS_SINCE: Final = (4, 7)
_ALWAYS_THINKING: Final = {"fable": (5, 0), "mythos": (0, 0), "opus": (5, 5), "sonnet": (5, 5)}
"""The version of each line from which on nothing keeps it from thinking."""


class Abilities(msgspec.Struct, frozen=True):
    """All of them are newer than the dialect; a model without one refuses the whole request that uses it.

    Attributes:
        json_schema: ``output_config.format``
            (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
        effort: ``thinking`` of type ``adaptive`` with ``output_config.effort``, in place of a budget of tokens
            (https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking).
        budgets: ``thinking`` of type ``enabled`` with ``budget_tokens``; models since 4.7 refuse it.
        sampling: ``temperature``, ``top_p`` and ``top_k``; models since 4.7 refuse them.
        xhigh: The effort of that name; models before 4.7 refuse it.
        silent: Can be kept from thinking; the newest refuse ``thinking`` of type ``disabled``.
        system_turns: Messages of the role ``system`` inside the conversation
            (https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages).
    """

    json_schema: bool = False
    effort: bool = False
    budgets: bool = True
    sampling: bool = True
    xhigh: bool = True
    silent: bool = True
    system_turns: bool = False


PLAIN: Final = Abilities()
"""What every model can do."""


def abilities_of(model: str, *, json_schema: bool = False) -> Abilities:
    """What a model of this name can do, under whichever provider's spelling; of an unknown one: what every model can.

    Args:
        model: ``claude-opus-4-7``, ``us.anthropic.claude-sonnet-4-6-v1:0``, ``claude-haiku-4-5@20251001``.
        json_schema: Whether it is known to keep to a JSON Schema.
    """
    line, version = _line_and_version(model.lower())
    if version < _ADAPTIVE_SINCE:
        return Abilities(json_schema=json_schema)
    newer = version >= _WITHOUT_BUDGETS_SINCE
    always = _ALWAYS_THINKING.get(line)
    return Abilities(
        json_schema=json_schema,
        effort=True,
        budgets=not newer,
        sampling=not newer,
        xhigh=newer,
        silent=always is None or version < always,
    )


def _line_and_version(model: str) -> tuple[str, tuple[int, int]]:
    found = _NAME.search(model)
    if found is not None:
        return found[1], (int(found[2]), int(found[3] or 0))
    turned = _NAME_TURNED.search(model)
    if turned is not None:
        return turned[3], (int(turned[1]), int(turned[2] or 0))
    return ("mythos", _WITHOUT_BUDGETS_SINCE) if _MYTHOS in model else ("", (0, 0))
