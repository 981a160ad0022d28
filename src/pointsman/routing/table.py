"""The routing table: which deployments stand behind a public model name. Immutable; a reload makes a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

import msgspec

from pointsman.config.patterns import is_pattern, match, specificity
from pointsman.core.upstream import Deployment

__all__ = ["Group", "Pattern", "RoutingTable", "Union", "numbered"]

_EXPANDED_MAX: Final = 10_000


class Group(msgspec.Struct, frozen=True):
    """The deployments that share one public name."""

    name: str
    deployments: tuple[Deployment, ...]


class Pattern(msgspec.Struct, frozen=True):
    """A wildcard entry: ``expand`` makes the deployment for a name and what the stars of ``pattern`` stood for.

    It makes none where the entry does not serve that name after all. ``known`` tells which names it is known to stand
    for, among others.
    """

    pattern: str
    expand: Callable[[str, tuple[str, ...]], Deployment | None]
    known: Callable[[], tuple[str, ...]] = tuple


class Union(msgspec.Struct, frozen=True):
    """A name for several models together; of those with ``priorities`` the lowest are tried first."""

    models: tuple[str, ...]
    priorities: Mapping[str, int] = {}


class RoutingTable:
    """Resolves names: aliases first, then exact, ``unions``, ids of deployments, then the most specific wildcard.

    So, as in LiteLLM, requests for a model can be sent to another one by an alias of the same name.

    Entries of one and the same wildcard share what it stands for, as those of one name do.

    ``hidden`` aliases are told to nobody. ``unlisted`` names are further aliases, of models that are found, which would
    only repeat in a list what is there.
    """

    def __init__(
        self,
        deployments: Iterable[Deployment],
        aliases: Mapping[str, str] | None = None,
        patterns: Iterable[Pattern] = (),
        hidden: frozenset[str] = frozenset(),
        *,
        unlisted: Mapping[str, str] | None = None,
        unions: Mapping[str, Union] | None = None,
    ) -> None:
        groups: dict[str, list[Deployment]] = {}
        for deployment in deployments:
            groups.setdefault(deployment.group, []).append(deployment)
        self._groups = {name: Group(name, tuple(members)) for name, members in groups.items()}
        listed = dict(aliases or {})
        taken = self._groups.keys() | listed.keys()
        self._by_id = {one.id: one for group in self._groups.values() for one in group.deployments}
        self._aliases = listed
        self._further = {name: target for name, target in (unlisted or {}).items() if name not in taken}
        self._patterns: dict[str, list[Pattern]] = {}
        for pattern in sorted(patterns, key=lambda entry: specificity(entry.pattern), reverse=True):
            self._patterns.setdefault(pattern.pattern, []).append(pattern)
        self._expanded: dict[str, Group] = {}
        self.expansions = 0
        self._hidden = hidden
        self._unions = {
            name: group
            for name, union in (unions or {}).items()
            if name not in taken and (group := self._united(name, union)) is not None
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Every name to list: groups and aliases."""
        every = dict.fromkeys([*self._groups, *self._aliases, *self._unions])
        return tuple(name for name in every if name not in self._hidden)

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Further names of models that are found."""
        return tuple(self._further)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The wildcard names."""
        return tuple(self._patterns)

    @cached_property
    def expected(self) -> tuple[str, ...]:
        """The names that wildcards are known to stand for, where these are not spelt out."""
        named = dict.fromkeys(name for entries in self._patterns.values() for one in entries for name in one.known())
        taken = {*self._groups, *self._aliases, *self._unions}
        return tuple(name for name in named if name not in taken)

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """Every deployment that is spelt out."""
        return tuple(member for group in self._groups.values() for member in group.deployments)

    @property
    def expanded(self) -> tuple[Deployment, ...]:
        """Those that wildcards have made so far; ``expansions`` counts how often they made some."""
        return tuple(member for group in self._expanded.values() for member in group.deployments)

    def resolve(self, name: str) -> Group | None:
        """The group that serves ``name``, or None."""
        name = self._aliases.get(name, name)
        group = self._groups.get(name) or self._expanded.get(name)
        if group is not None:
            return group
        target = self._further.get(name)
        group = None if target is None else self._groups.get(target)
        one = self._by_id.get(name)
        return group or self._unions.get(name) or (self._match(name) if one is None else Group(one.group, (one,)))

    def _united(self, name: str, union: Union) -> Group | None:
        """All deployments of the models that there are; None: there are none."""
        members: dict[str, Deployment] = {}
        for model in union.models:
            order = union.priorities.get(model)
            group = self._groups.get(model) or (None if is_pattern(model) else self._match(model))
            for one in () if group is None else group.deployments:
                members.setdefault(one.id, one if order is None else msgspec.structs.replace(one, order=order))
        return Group(name, tuple(members.values())) if members else None

    def _match(self, name: str) -> Group | None:
        for pattern, entries in self._patterns.items():
            captured = match(pattern, name)
            if captured is None:
                continue
            made = [entry.expand(name, captured) for entry in entries]
            deployments = numbered(deployment for deployment in made if deployment is not None)
            if deployments:
                group = Group(name, deployments)
                if len(self._expanded) >= _EXPANDED_MAX:
                    self._expanded.clear()
                self._expanded[name] = group
                self.expansions += 1
                return group
        return None


def numbered(deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """The deployments, each with an id of its own even where two are alike."""
    seen: dict[str, int] = {}
    out = []
    for deployment in deployments:
        count = seen.get(deployment.id, 0)
        seen[deployment.id] = count + 1
        one = deployment if not count else msgspec.structs.replace(deployment, id=f"{deployment.id}-{count}")
        out.append(one)
    return tuple(out)
