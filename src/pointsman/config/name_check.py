"""Names of models in the settings of routing that nobody serves: what they are meant for would never happen."""

from __future__ import annotations

from typing import Final

from pointsman.config.findings import Findings, Place, nearest
from pointsman.config.nodes import ListNode, MapNode, Node, text_of
from pointsman.config.patterns import is_pattern, match
from pointsman.config.sections import Settings

__all__ = ["examine_names"]

_SECTIONS: Final = ("router_settings", "litellm_settings")
_LISTS: Final = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_BY_MODEL: Final = ("model_group_retry_policy", "model_group_affinity_config")
_NOT_SERVED: Final = "no such model is served."


def examine_names(settings: Settings, root: MapNode, findings: Findings) -> None:
    """Warn of the names in valid ``settings`` that lead nowhere; ``root`` is the whole configuration."""
    _Examiner(settings, findings).examine(root)


class _Examiner:
    """Knows the names under which models are served.

    Where servers are asked for others, or models may be stored, a name is only doubted if it is very like a known one.
    """

    def __init__(self, settings: Settings, findings: Findings) -> None:
        self._findings = findings
        self._settings = settings
        router = settings.router_settings
        self._aliases = {
            **settings.litellm_settings.model_alias_map,
            **{name: alias.model for name, alias in router.model_group_alias.items()},
        }
        groups = [group.group_name for group in router.routing_groups if group.group_name]
        served = [entry.model_name for entry in settings.model_list]
        self._models = {name for name in served if not is_pattern(name)}
        self._own = {*self._models, *groups}
        self._names = {*self._own, *self._aliases}
        self._bare = {name.partition("/")[2] for name in self._names}
        self._patterns = [name for name in served if is_pattern(name)]
        stores = bool(settings.general_settings.store_model_in_db)
        self._are_found_later = settings.discovers or bool(settings.local.ollama) or stores

    def examine(self, root: MapNode) -> None:
        for section in _SECTIONS:
            node = root.get(section)
            if isinstance(node, MapNode):
                self._examine_section(node, section)
        self._examine_warm_up(root.get("pointsman"))
        entries = root.get("model_list")
        for number, entry in enumerate(entries.items if isinstance(entries, ListNode) else ()):
            params = entry.get("litellm_params") if isinstance(entry, MapNode) else None
            silent = params.get("silent_model") if isinstance(params, MapNode) else None
            for one in silent.items if isinstance(silent, ListNode) else () if silent is None else (silent,):
                self._demand(one, f"model_list[{number}].litellm_params.silent_model", _NOT_SERVED)

    def _examine_warm_up(self, section: Node | None) -> None:
        wanted = section.get("warm_up") if isinstance(section, MapNode) else None
        for number, one in enumerate(wanted.items if isinstance(wanted, ListNode) else ()):
            model = one.get("model") if isinstance(one, MapNode) else None
            if model is not None:
                self._demand(model, f"pointsman.warm_up[{number}].model", _NOT_SERVED)

    def _examine_section(self, section: MapNode, path: str) -> None:
        for key in _LISTS:
            listed = section.get(key)
            for one in listed.items if isinstance(listed, ListNode) else ():
                self._examine_fallbacks(one, f"{path}.{key}")
        self._examine_targets(section.get("default_fallbacks"), f"{path}.default_fallbacks")
        for key in _BY_MODEL:
            by_model = section.get(key)
            for name, entry in by_model.present() if isinstance(by_model, MapNode) else ():
                self._doubt_key(name, entry.place, f"{path}.{key}.{name}", _NOT_SERVED)
        groups = section.get("routing_groups")
        for number, group in enumerate(groups.items if isinstance(groups, ListNode) else ()):
            models = group.get("models") if isinstance(group, MapNode) else None
            for model in models.items if isinstance(models, ListNode) else ():
                if not is_pattern(text_of(model) or ""):
                    self._demand(model, f"{path}.routing_groups[{number}].models", _NOT_SERVED)
        for key in ("model_group_alias", "model_alias_map"):
            aliases = section.get(key)
            for name, entry in aliases.present() if isinstance(aliases, MapNode) else ():
                self._examine_alias(name, entry.place, f"{path}.{key}.{name}")

    def _examine_fallbacks(self, one: Node, path: str) -> None:
        for name, entry in one.present() if isinstance(one, MapNode) else ():
            message = f"nobody serves {name}, so that nothing ever stands in for it."
            self._doubt_key(name, entry.place, path, message)
            self._examine_targets(entry.node, path)

    def _examine_targets(self, targets: Node | None, path: str) -> None:
        for target in targets.items if isinstance(targets, ListNode) else ():
            named = target.get("model") if isinstance(target, MapNode) else target
            if named is not None:
                self._demand(named, path, "stands in for another model, and nobody serves it.", named_first=True)

    def _examine_alias(self, name: str, place: Place, path: str) -> None:
        if name in self._models:
            message = "is also the name of a model, which nobody can ask for under it: the alias wins."
            self._findings.warn(place, path, message, "Give one of them another name.")
        target = self._aliases.get(name)
        if target is None:
            return  # a broken one has its own finding
        if target == name:
            self._findings.warn(place, path, "is an alias of itself.", "Name the model that it stands for.")
        elif target in self._aliases and target not in self._own:
            loops, end = self._end_of(name)
            message = f"leads to {target}, which is an alias, too; aliases of aliases are not followed."
            message = f"leads back to itself by way of {target}." if loops else message
            self._findings.warn(place, path, message, None if end is None else f"Write {name}: {end}.")
        else:
            self._doubt(target, place, path, f"stands for {target}, and nobody serves that.")

    def _end_of(self, name: str) -> tuple[bool, str | None]:
        """Whether an alias leads back to itself, and the model that it leads to in the end, if to any."""
        seen = [name]
        while (following := self._aliases[seen[-1]]) in self._aliases and following not in seen:
            seen.append(following)
        return following == name, following if following in self._own else None

    def _doubt_key(self, name: str, place: Place, path: str, message: str) -> None:
        """Doubt a name that settings are listed by, where it may also be a pattern, or one without its provider."""
        if is_pattern(name) or name in self._bare:
            return
        providers = {pattern.partition("/")[0] for pattern in self._patterns}
        may_be_one_of_many = any(self._is_served(f"{provider}/{name}") for provider in providers)
        if not may_be_one_of_many or nearest(name, self._names) is not None:
            self._doubt(name, place, path, message)

    def _is_served(self, name: str) -> bool:
        return name in self._names or any(match(one, name) is not None for one in self._patterns)

    def _demand(self, node: Node, path: str, message: str, *, named_first: bool = False) -> None:
        name = text_of(node)
        if name is not None:
            self._doubt(name, node.place, path, f"{name} {message}" if named_first else message)

    def _doubt(self, name: str, place: Place, path: str, message: str) -> None:
        if name == "*" or self._is_served(name):
            return
        like = nearest(name, self._names)
        if self._are_found_later:
            if like is None:
                return
            message = f"{message.removesuffix('.')}, unless it is found or stored later."
        self._findings.warn(place, path, message, f"Did you mean {like}?" if like else None)
