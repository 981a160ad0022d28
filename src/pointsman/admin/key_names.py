"""What the operator wants keys to be called: ``key_alias_pattern`` and ``enable_key_alias_format_validation``."""

from __future__ import annotations

import re
from typing import Final

from msgspec import UnsetType

from pointsman.core.errors import Malformed

__all__ = ["AliasRule", "alias_rule", "demand_alias"]

AliasRule = re.Pattern[str]

_LITELLMS: Final = r"[a-zA-Z0-9][a-zA-Z0-9_\-/.@]{0,253}[a-zA-Z0-9]"
_CHARACTERS_MAX: Final = 255


def alias_rule(pattern: str | None, *, litellms: bool) -> AliasRule | None:
    """The rule that ``pattern`` is, else LiteLLM's own where it is switched on; None: every alias will do.

    The configuration has seen to it that ``pattern`` is a regular expression.
    """
    if pattern is None:
        return re.compile(_LITELLMS) if litellms else None
    return re.compile(pattern)


def demand_alias(rule: AliasRule | None, alias: str | UnsetType | None) -> None:
    """Raise unless a key may be called so.

    Raises:
        Malformed: it may not; the message has the rule.
    """
    if rule is None or not isinstance(alias, str) or not alias:
        return
    if len(alias) > _CHARACTERS_MAX or rule.fullmatch(alias) is None:
        raise Malformed(
            f"Invalid key_alias format. It must have at most {_CHARACTERS_MAX} characters and match {rule.pattern}",
            hint="The operator's key_alias_pattern says what keys may be called.",
            param="key_alias",
        )
