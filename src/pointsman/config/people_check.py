"""What is told of the rules for keys."""

from __future__ import annotations

import re

from pointsman.config.findings import Findings
from pointsman.config.nodes import MapNode, Node
from pointsman.config.sections import Settings

__all__ = ["examine_key_names"]

_PATTERN = "key_alias_pattern"


def examine_key_names(settings: Settings, section: Node | None, findings: Findings) -> None:
    """Tell of a pattern for the aliases of keys that is no regular expression."""
    pattern = settings.litellm_settings.key_alias_pattern
    node = section.get(_PATTERN) if isinstance(section, MapNode) else None
    if pattern is None or node is None:
        return
    try:
        re.compile(pattern)
    except re.error as wrong:
        findings.error(node.place, f"litellm_settings.{_PATTERN}", f"is no regular expression: {wrong}.")
