"""Values of ``router_settings`` that are LiteLLM's and mean nothing here, or nothing at all: told as warnings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pointsman.config.findings import Findings, nearest
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, text_of

__all__ = ["CHECKS", "tell_routing_values"]

CHECKS: Final = frozenset({
    "deployment_affinity", "encrypted_content_affinity", "enforce_model_rate_limits", "prompt_caching",
    "responses_api_deployment_check", "router_budget_limiting", "session_affinity",
})  # fmt: skip
"""The ``optional_pre_call_checks`` that are made.

``responses_api_deployment_check`` needs nothing to be done: a response is continued by any deployment, since what it
continues is stored here and sent along to a deployment that does not have it. Nor does ``router_budget_limiting``:
budgets of deployments and providers always hold.
"""

_LITELLMS_CHECKS: Final = frozenset({"forward_client_headers_by_model_group"})
_LITELLMS_STRATEGIES: Final = frozenset({"lar1", "provider-budget-routing"})


def tell_routing_values(router: Node | None, findings: Findings) -> None:
    """Warn of strategies and checks in ``router_settings`` that have no effect."""
    if not isinstance(router, MapNode):
        return
    for path, node in _strategies(router):
        if text_of(node) in _LITELLMS_STRATEGIES:
            message = "is not honoured; the usual strategy is used."
            findings.warn(node.place, path, message, "Use one that docs/routing/strategies.md describes.")
    for path, node in _checks(router):
        name = text_of(node)
        if name in _LITELLMS_CHECKS:
            findings.warn(node.place, path, f"{name} is known and has no effect yet.")
        elif name is not None and name not in CHECKS:
            like = nearest(name, CHECKS)
            findings.warn(node.place, path, f"{name} is not a known check.", f"Did you mean {like}?" if like else None)


def _strategies(router: MapNode) -> Iterator[tuple[str, Node]]:
    own, groups = router.get("routing_strategy"), router.get("routing_groups")
    if own is not None:
        yield "router_settings.routing_strategy", own
    for number, group in enumerate(groups.items if isinstance(groups, ListNode) else ()):
        named = group.get("routing_strategy") if isinstance(group, MapNode) else None
        if named is not None:
            yield f"router_settings.routing_groups[{number}].routing_strategy", named


def _checks(router: MapNode) -> Iterator[tuple[str, Node]]:
    lists: dict[str, Node | None] = {"optional_pre_call_checks": router.get("optional_pre_call_checks")}
    by_group = router.get("model_group_affinity_config")
    if isinstance(by_group, MapNode):
        entries: list[tuple[str, Entry]] = list(by_group.present())
        lists |= {f"model_group_affinity_config.{model}": entry.node for model, entry in entries}
    for path, node in lists.items():
        for number, item in enumerate(node.items if isinstance(node, ListNode) else ()):
            yield f"router_settings.{path}[{number}]", item
