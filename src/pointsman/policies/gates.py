"""Lists of models that somebody may use: a key, its team, its member, its user, its organisation, the customer.

Names in them are those of models, patterns of such (``openai/*``), access groups of the configuration, or access groups
of the directory, whose models stand in their place. LiteLLM's words for lists (1.109.1, ``SpecialModelNames``):
``all-proxy-models`` and ``*`` are all, ``all-team-models`` is what the team may use, ``no-default-models`` is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.config.patterns import match
from pointsman.stores.directory.records import AccessGroup

__all__ = ["Gate", "gate_of", "groups_by_name"]

_EVERYTHING: Final = frozenset({"*", "all-proxy-models"})
_WHAT_THE_TEAM_MAY: Final = "all-team-models"


class Gate(msgspec.Struct, frozen=True):
    """What one of those that a call is made for may use; ``whose`` is the scope, ``name`` what people call it."""

    whose: str
    name: str
    models: tuple[str, ...]
    wildcards: tuple[str, ...]

    def lets_through(self, asked: str, group: str, access_groups: frozenset[str]) -> bool:
        """Whether a model may be used that is asked for as ``asked`` and served by ``group``."""
        models = self.models
        if asked in models or group in models or not access_groups.isdisjoint(models):
            return True
        return any(match(pattern, name) is not None for pattern in self.wildcards for name in (asked, group))


def gate_of(
    whose: str,
    name: str,
    models: Sequence[str],
    groups: Mapping[str, AccessGroup] = {},
    group_ids: Iterable[str] = (),
) -> Gate | None:
    """The gate of a list of models and of access groups; None: all may pass.

    No models and no groups are all; so are those of the team, where the list is a key's.
    """
    asked = (*models, *group_ids)
    if not asked or not _EVERYTHING.isdisjoint(models) or (whose == "key" and _WHAT_THE_TEAM_MAY in models):
        return None
    names = dict.fromkeys(asked)
    for one in asked:
        if one in groups:
            names |= dict.fromkeys(groups[one].models)
    return Gate(whose, name, tuple(names), tuple(one for one in names if "*" in one))


def groups_by_name(groups: Iterable[AccessGroup]) -> dict[str, AccessGroup]:
    """Access groups by their ids and by their names; an id wins over a name."""
    groups = tuple(groups)
    return {group.name: group for group in groups} | {group.access_group_id: group for group in groups}
