"""What must fit together in ``router_settings``, beyond the type of each value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pointsman.config.findings import Findings
from pointsman.config.name_check import examine_names
from pointsman.config.nodes import ListNode, MapNode, Node
from pointsman.config.routing_sections import StrategyGroup
from pointsman.config.sections import Settings

__all__ = ["examine_routing"]

_PRIORITY: Final = "priority"


def examine_routing(settings: Settings, root: MapNode, findings: Findings) -> None:
    """Tell what is wrong or doubtful in the routing of valid ``settings``; ``root`` is the whole configuration."""
    router = root.get("router_settings")
    _examine_groups(settings, router, findings)
    examine_names(settings, root, findings)


def _examine_groups(settings: Settings, router: Node | None, findings: Findings) -> None:
    groups = settings.router_settings.routing_groups
    nodes = router.get("routing_groups") if isinstance(router, MapNode) else None
    if not isinstance(nodes, ListNode) or len(nodes.items) != len(groups):
        return  # a broken one has its own finding, and its place among the others is gone
    served = {entry.model_name for entry in settings.model_list}
    for number, (group, node) in enumerate(zip(groups, nodes.items, strict=True)):
        path = f"router_settings.routing_groups[{number}]"
        if group.routing_strategy == _PRIORITY:
            for wrong in _wrong_priorities(group):
                findings.error(node.place, path, wrong)
        elif group.model_priorities:
            findings.warn(node.place, f"{path}.model_priorities", "has an effect with the strategy priority only.")
        if group.group_name in served:
            findings.warn(
                node.place,
                f"{path}.group_name",
                "is also the name of a model, which is what clients get under it.",
                "Give the group another name, if clients are to ask for it.",
            )


def _wrong_priorities(group: StrategyGroup) -> Iterator[str]:
    if not group.group_name:
        yield "has the strategy priority and no group_name, so that nobody can ask for it."
    if set(group.model_priorities) != set(group.models) or len(set(group.models)) != len(group.models):
        yield "has the strategy priority, so model_priorities must have a number for each of models."
