"""What is told of the headers that are to name users."""

from __future__ import annotations

from pointsman.config.findings import Findings
from pointsman.config.nodes import ListNode, MapNode, Node
from pointsman.config.sections import Settings

__all__ = ["examine_user_headers"]

_MAPPINGS = "user_header_mappings"


def examine_user_headers(settings: Settings, section: Node | None, findings: Findings) -> None:
    """Warn of headers by which clients would say themselves which user they are: that would be anybody's word."""
    node = section.get(_MAPPINGS) if isinstance(section, MapNode) else None
    mappings = settings.general_settings.user_header_mappings
    if not isinstance(node, ListNode) or len(node.items) != len(mappings):
        return
    for index, (mapping, item) in enumerate(zip(mappings, node.items, strict=True)):
        if not mapping.names_customer:
            findings.warn(
                item.place,
                f"general_settings.{_MAPPINGS}[{index}]",
                "has no effect: a header cannot say which user of the gateway a call is charged to.",
                "Give each user a key, or have them send signed tokens.",
            )
