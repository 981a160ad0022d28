"""What must hold of ``pointsman.routing_rules`` beyond the type of each value."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pointsman.config.findings import Findings, nearest
from pointsman.config.nodes import ListNode, MapNode, Node
from pointsman.config.patterns import is_pattern, match
from pointsman.config.rule_sections import RoutingRuleSection, RuleThen, RuleWhen
from pointsman.config.sections import Settings

__all__ = ["SECRET_HEADERS", "examine_rules"]

SECRET_HEADERS: Final = frozenset({
    "api-key", "authorization", "cookie", "ocp-apim-subscription-key", "proxy-authorization", "x-api-key",
    "x-goog-api-key", "x-litellm-api-key",
})  # fmt: skip
"""Headers that a rule must not compare, since they hold credentials; ``litellm_key_header_name`` is another."""

_RULES_MAX: Final = 1_000
_PARTS: Final = {
    "when": frozenset(RuleWhen.__struct_fields__),
    "then": frozenset(RuleThen.__struct_fields__),
}


def examine_rules(settings: Settings, section: Node | None, findings: Findings) -> None:
    """Tell what is wrong in the rules of ``settings``; ``section`` is where ``pointsman`` is written."""
    node = section.get("routing_rules") if isinstance(section, MapNode) else None
    if not isinstance(node, ListNode):
        return
    for index, item in enumerate(node.items):
        _examine_keys(item, f"pointsman.routing_rules[{index}]", findings)
    rules = settings.local.routing_rules
    if len(rules) != len(node.items):
        return  # a broken rule has its own finding
    if len(rules) > _RULES_MAX:
        findings.error(node.place, "pointsman.routing_rules", f"has more than {_RULES_MAX} rules.")
    names = _Names(settings, findings)
    seen: set[str] = set()
    for index, (rule, item) in enumerate(zip(rules, node.items, strict=True)):
        path = f"pointsman.routing_rules[{index}]"
        if rule.name in seen:
            findings.error(item.place, f"{path}.name", "another rule has this name.")
        seen.add(rule.name)
        _examine_rule(rule, item, path, settings, findings)
        names.examine(rule.then, item, path)


def _examine_keys(item: Node, path: str, findings: Findings) -> None:
    """A condition that is not known would be one that always holds, so it is an error here."""
    for part, known in _PARTS.items():
        node = item.get(part) if isinstance(item, MapNode) else None
        for key, entry in node.present() if isinstance(node, MapNode) else ():
            if key not in known:
                like = nearest(key, known)
                hint = f"Did you mean {like}?" if like else None
                findings.error(entry.place, f"{path}.{part}.{key}", "is not a known key.", hint)


def _examine_rule(rule: RoutingRuleSection, item: Node, path: str, settings: Settings, findings: Findings) -> None:
    when, then = rule.when, rule.then
    secret = SECRET_HEADERS | {(settings.general_settings.litellm_key_header_name or "").lower()}
    for name in when.headers:
        if name.lower() in secret:
            findings.error(item.place, f"{path}.when.headers", f"{name} holds credentials and cannot be compared.")
    for low, high in (("prompt_tokens", "prompt_tokens"), ("output_limit", "output_limit"), ("turns", "turns")):
        least, most = getattr(when, f"{low}_min"), getattr(when, f"{high}_max")
        if least is not None and most is not None and least > most:
            findings.error(item.place, f"{path}.when.{low}_min", f"is above {high}_max, so the rule never holds.")
    if not _is_zone(when.timezone):
        findings.error(item.place, f"{path}.when.timezone", "this system knows no such time zone.", "As Europe/Berlin.")
    if then.model is not None and then.tiers:
        findings.error(item.place, f"{path}.then.tiers", "stands beside model; a rule has the one or the other.")
    if then == RuleThen():
        findings.error(item.place, f"{path}.then", "says nothing.")
    if then.refuse is not None and then != RuleThen(refuse=then.refuse):
        findings.error(item.place, f"{path}.then.refuse", "stands beside others; what is refused goes nowhere.")


class _Names:
    """Looks whether models that rules lead to are there: a slip of the pen would refuse requests."""

    def __init__(self, settings: Settings, findings: Findings) -> None:
        self._findings = findings
        names = [entry.model_name for entry in settings.model_list]
        aliases = (*settings.router_settings.model_group_alias, *settings.litellm_settings.model_alias_map)
        self._names = {*(name for name in names if not is_pattern(name)), *aliases}
        self._patterns = [name for name in names if is_pattern(name)]
        self._finds_models = settings.discovers or bool(settings.local.ollama)

    def examine(self, then: RuleThen, item: Node, path: str) -> None:
        """Tell which are not."""
        named = [("model", then.model)]
        named += [("overflow.to", None if then.overflow is None else then.overflow.to)]
        named += [(f"tiers[{index}].model", tier.model) for index, tier in enumerate(then.tiers)]
        for where, model in named:
            if model is None or self._finds_models or model in self._names:
                continue
            if any(match(pattern, model) is not None for pattern in self._patterns):
                continue
            like = nearest(model, self._names)
            hint = f"Did you mean {like}?" if like else None
            self._findings.error(item.place, f"{path}.then.{where}", "no such model is served.", hint)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return name == "UTC"
    return True
