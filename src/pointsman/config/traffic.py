"""What must fit together in ``pointsman.traffic`` and ``pointsman.bulkheads``, beyond the type of each value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from pointsman.config.findings import Findings, Place, nearest
from pointsman.config.nodes import ListNode, MapNode, Node
from pointsman.config.patterns import is_pattern, match
from pointsman.config.sections import Settings
from pointsman.config.traffic_sections import Canary, TrafficRule, Variant

__all__ = ["STABLE", "Target", "examine_traffic", "target_of"]

STABLE = "stable"
"""The name of the arm that a canary leaves to all others."""


def examine_traffic(settings: Settings, section: Node | None, findings: Findings) -> None:
    """Tell what is wrong in the rules of valid ``settings``; ``section`` is where ``pointsman`` is written."""
    if not isinstance(section, MapNode):
        return
    examiner = _Examiner(settings, findings)
    examiner.examine_rules(section.get("traffic"))
    bulkheads = section.get("bulkheads")
    for name, entry in bulkheads.present() if isinstance(bulkheads, MapNode) else ():
        if not name.strip():
            findings.error(entry.place, "pointsman.bulkheads", "has a name that is empty.")


class Target(Protocol):
    """What says what an arm consists of."""

    @property
    def model(self) -> str | None:
        """Another model."""
        ...

    @property
    def deployment(self) -> str | None:
        """The id of a deployment."""
        ...

    @property
    def tag(self) -> str | None:
        """A tag of deployments."""
        ...


def target_of(arm: Target) -> tuple[str, ...]:
    """As ``("model", "gpt-next")``; empty where the arm is what others leave over."""
    said = {"model": arm.model, "deployment": arm.deployment, "tag": arm.tag}
    return next(((key, name) for key, name in said.items() if name is not None), ())


class _Examiner:
    def __init__(self, settings: Settings, findings: Findings) -> None:
        self._findings = findings
        self._rules = settings.local.traffic
        names = [entry.model_name for entry in settings.model_list]
        aliases = (*settings.router_settings.model_group_alias, *settings.litellm_settings.model_alias_map)
        self._names = {*(name for name in names if not is_pattern(name)), *aliases}
        self._patterns = [name for name in names if is_pattern(name)]
        self._ids = {entry.model_info.id for entry in settings.model_list}
        self._finds_models = settings.discovers or bool(settings.local.ollama)

    def examine_rules(self, node: Node | None) -> None:
        places = [item.place for item in node.items] if isinstance(node, ListNode) else []
        if len(places) != len(self._rules):
            return  # a broken rule has its own finding, and its place among the others is gone
        seen: dict[str, int] = {}
        for index, (rule, place) in enumerate(zip(self._rules, places, strict=True)):
            path = f"pointsman.traffic[{index}]"
            earlier = seen.setdefault(rule.model, index)
            if earlier != index:
                message = f"pointsman.traffic[{earlier}] is for the same model; write both as one."
                self._findings.error(place, f"{path}.model", message)
            self._examine_rule(rule, place, path)

    def _examine_rule(self, rule: TrafficRule, place: Place, path: str) -> None:
        self._demand_known(rule.model, place, f"{path}.model")
        if rule.canary is not None:
            if rule.variants:
                message = "stands beside canary; a model has the one or the other."
                self._findings.error(place, f"{path}.variants", message, "Write the canary as one of the variants.")
            self._examine_canary(rule.canary, place, f"{path}.canary")
        if rule.variants:
            self._examine_variants(rule.variants, place, f"{path}.variants")
        if rule.mirror is not None:
            self._demand_known(rule.mirror.model, place, f"{path}.mirror.model")
        if not any((rule.canary, rule.variants, rule.mirror, rule.hedge, rule.coalesce_embeddings)):
            self._findings.warn(place, path, "says nothing about what is to happen.")

    def _examine_canary(self, canary: Canary, place: Place, path: str) -> None:
        if canary.name == STABLE:
            self._findings.error(place, f"{path}.name", f"{STABLE} is the name of the other arm.")
        if not _target(canary):
            self._findings.error(place, path, "model, deployment or tag is missing: what the canary consists of.")
        self._examine_arm(canary, place, path)

    def _examine_variants(self, variants: Sequence[Variant], place: Place, path: str) -> None:
        for name in _twice(variant.name for variant in variants):
            self._findings.error(place, path, f"two have the name {name}.")
        if not sum(variant.weight for variant in variants):
            self._findings.error(place, path, "none has a weight above 0.")
        if sum(not _target(variant) for variant in variants) > 1:
            message = "two have neither model nor deployment nor tag; only one can be what the others leave over."
            self._findings.error(place, path, message)
        for index, variant in enumerate(variants):
            self._examine_arm(variant, place, f"{path}[{index}]")

    def _examine_arm(self, arm: Canary | Variant, place: Place, path: str) -> None:
        if len(_target(arm)) > 1:
            self._findings.error(place, path, f"has {' and '.join(_target(arm))}; only one of them can hold.")
        if arm.model is not None:
            self._demand_known(arm.model, place, f"{path}.model")
        if arm.deployment is not None and not self._finds_models and arm.deployment not in self._ids:
            hint = "It is the model_info.id of an entry of model_list."
            self._findings.error(place, f"{path}.deployment", "no deployment has this id.", hint)

    def _demand_known(self, model: str, place: Place, path: str) -> None:
        """A misspelt name would mean a rule that never acts, or an arm that nobody gets."""
        if self._finds_models or model in self._names or any(match(one, model) is not None for one in self._patterns):
            return
        like = nearest(model, self._names)
        self._findings.error(place, path, "no such model is served.", f"Did you mean {like}?" if like else None)


def _target(arm: Canary | Variant) -> list[str]:
    """The keys by which an arm says what serves it."""
    return [key for key in ("model", "deployment", "tag") if getattr(arm, key) is not None]


def _twice(names: Iterable[str]) -> Iterator[str]:
    return (name for name, count in Counter(names).items() if count > 1)
