"""What only some models behind this dialect can do; whoever knows the model says so."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["PLAIN", "Abilities"]


class Abilities(msgspec.Struct, frozen=True):
    """All of them are newer than the dialect; a model without one refuses the whole request that uses it.

    Attributes:
        json_schema: ``output_config.format``
            (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
        effort: ``thinking`` of type ``adaptive`` with ``output_config.effort``, in place of a budget of tokens
            (https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking).
        system_turns: Messages of the role ``system`` inside the conversation
            (https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages).
    """

    json_schema: bool = False
    effort: bool = False
    system_turns: bool = False


PLAIN: Final = Abilities()
"""What every model can do."""
