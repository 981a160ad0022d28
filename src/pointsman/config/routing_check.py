"""What must fit together in ``router_settings``, beyond the type of each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.config.fallback_targets import read_target
from pointsman.config.findings import Findings, nearest
from pointsman.config.nodes import ListNode, MapNode, Node
from pointsman.config.patterns import is_pattern, match
from pointsman.config.routing_sections import StrategyGroup
from pointsman.config.sections import FallbackList, LiteLLMSettings, RouterSettings, Settings

__all__ = ["examine_routing"]

_PRIORITY: Final = "priority"


def examine_routing(settings: Settings, root: MapNode, findings: Findings) -> None:
    """Tell what is wrong or doubtful in the routing of valid ``settings``; ``root`` is the whole configuration."""
    router = root.get("router_settings")
    _examine_groups(settings, router, findings)
    names = _Names(settings)
    if names.are_found_later:
        return
    _examine_fallbacks(settings.router_settings, "router_settings", router, names, findings)
    _examine_fallbacks(settings.litellm_settings, "litellm_settings", root.get("litellm_settings"), names, findings)
    policies = router.get("model_group_retry_policy") if isinstance(router, MapNode) else None
    for name, entry in policies.present() if isinstance(policies, MapNode) else ():
        if not names.has(name):
            path = f"router_settings.model_group_retry_policy.{name}"
            findings.warn(entry.place, path, "no such model is served.", names.like(name))
    _examine_warm_up(settings, root.get("pointsman"), names, findings)
    _examine_members(settings.router_settings.routing_groups, router, names, findings)
    aliases = {name: alias.model for name, alias in settings.router_settings.model_group_alias.items()}
    _examine_aliases(aliases, router, "model_group_alias", names, findings)
    older = settings.litellm_settings.model_alias_map
    _examine_aliases(older, root.get("litellm_settings"), "model_alias_map", names, findings)


class _Names:
    """The names under which models are served; ``are_found_later``: servers are asked for others, or may be told."""

    def __init__(self, settings: Settings) -> None:
        router = settings.router_settings
        aliases = (*router.model_group_alias, *settings.litellm_settings.model_alias_map)
        groups = [group.group_name for group in router.routing_groups if group.group_name]
        served = [entry.model_name for entry in settings.model_list]
        self.are_found_later = (
            settings.discovers or bool(settings.local.ollama) or bool(settings.general_settings.store_model_in_db)
        )
        self.aliases = frozenset(aliases)
        self._models = {*(name for name in served if not is_pattern(name)), *groups}
        self._names = {*self._models, *aliases}
        self._bare = {name.partition("/")[2] for name in self._names}
        self._patterns = [name for name in served if is_pattern(name)]

    def has(self, name: str) -> bool:
        """Whether somebody serves it."""
        return name == "*" or name in self._names or self._fits(name)

    def has_model(self, name: str) -> bool:
        """Whether somebody serves it under no alias."""
        return name in self._models or self._fits(name)

    def has_any(self, key: str) -> bool:
        """Whether somebody serves what ``key`` of a list of fallbacks may mean: also a pattern, or a bare name."""
        if is_pattern(key) or key in self._bare or self.has(key):
            return True
        return any(self._fits(f"{pattern.partition('/')[0]}/{key}") for pattern in self._patterns)

    def _fits(self, name: str) -> bool:
        return any(match(one, name) is not None for one in self._patterns)

    def like(self, name: str) -> str | None:
        """A hint at what may have been meant."""
        close = nearest(name, self._names)
        return f"Did you mean {close}?" if close else None


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


def _examine_warm_up(settings: Settings, section: Node | None, names: _Names, findings: Findings) -> None:
    nodes = section.get("warm_up") if isinstance(section, MapNode) else None
    if not isinstance(nodes, ListNode) or len(nodes.items) != len(settings.local.warm_up):
        return
    for number, (wanted, node) in enumerate(zip(settings.local.warm_up, nodes.items, strict=True)):
        if not names.has(wanted.model):
            path = f"pointsman.warm_up[{number}].model"
            findings.warn(node.place, path, "no such model is served.", names.like(wanted.model))


def _examine_members(groups: Sequence[StrategyGroup], router: Node | None, names: _Names, findings: Findings) -> None:
    nodes = router.get("routing_groups") if isinstance(router, MapNode) else None
    if not isinstance(nodes, ListNode) or len(nodes.items) != len(groups):
        return
    for number, (group, node) in enumerate(zip(groups, nodes.items, strict=True)):
        for model in group.models:
            if not is_pattern(model) and not names.has_model(model):
                path = f"router_settings.routing_groups[{number}].models"
                why = "an alias; name the model itself." if model in names.aliases else "served by nobody."
                findings.warn(node.place, path, f"{model} is {why}", names.like(model))


def _examine_aliases(
    aliases: Mapping[str, str], section: Node | None, key: str, names: _Names, findings: Findings
) -> None:
    """An alias leads to a model and not to a further alias, as in LiteLLM."""
    nodes = section.get(key) if isinstance(section, MapNode) else None
    for name, node in nodes.present() if isinstance(nodes, MapNode) else ():
        target = aliases.get(name)
        if target is None or names.has_model(target):
            continue
        where = "router_settings" if key == "model_group_alias" else "litellm_settings"
        why = "is an alias itself; name its model." if target in names.aliases else "nobody serves."
        findings.warn(node.place, f"{where}.{key}.{name}", f"leads to {target}, which {why}", names.like(target))


def _wrong_priorities(group: StrategyGroup) -> Iterator[str]:
    if not group.group_name:
        yield "has the strategy priority and no group_name, so that nobody can ask for it."
    if set(group.model_priorities) != set(group.models) or len(set(group.models)) != len(group.models):
        yield "has the strategy priority, so model_priorities must have a number for each of models."


def _examine_fallbacks(
    given: RouterSettings | LiteLLMSettings, section: str, node: Node | None, names: _Names, findings: Findings
) -> None:
    """A fallback that nobody serves stands in for nothing, which shows only when it is needed."""
    if not isinstance(node, MapNode):
        return
    lists: Mapping[str, FallbackList] = {
        "fallbacks": given.fallbacks,
        "context_window_fallbacks": given.context_window_fallbacks,
        "content_policy_fallbacks": given.content_policy_fallbacks,
        "default_fallbacks": ({"*": given.default_fallbacks},),
    }
    for key, listed in lists.items():
        place = node.get(key)
        for name in {name: None for one in listed for name in one if not names.has_any(name)}:
            message = f"{name} has somebody who stands in for it, and nobody serves it."
            findings.warn(node.place if place is None else place.place, f"{section}.{key}", message, names.like(name))
        for target in _unserved([each for one in listed for some in one.values() for each in some], names):
            message = f"{target} stands in for another model, and nobody serves it."
            findings.warn(node.place if place is None else place.place, f"{section}.{key}", message, names.like(target))


def _unserved(targets: Sequence[msgspec.Raw], names: _Names) -> Iterator[str]:
    for raw in targets:
        try:
            model = read_target(raw).model
        except ValueError:
            continue  # which is told where it is read
        if not names.has(model):
            yield model
