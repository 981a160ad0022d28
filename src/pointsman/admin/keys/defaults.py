"""What the operator's configuration says about new keys: defaults for what is left out, and upper bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from pointsman.admin.keys.changes import changes_of
from pointsman.admin.keys.requests import GenerateKeyRequest, KeyFields
from pointsman.admin.office import Office
from pointsman.admin.rights import rights_of
from pointsman.config.sections import KeyBounds
from pointsman.core.errors import Malformed, Misconfigured, Refused
from pointsman.core.identity import KeyRecord
from pointsman.policies.durations import UTC_MIDNIGHT, approximate_seconds
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import TEAMS

__all__ = ["bounded", "demand_usable_defaults", "for_member", "with_defaults"]

Fields = TypeVar("Fields", bound=KeyFields)

_ENDLESS: Final = frozenset({"", "-1"})
_EMPTY: Final = frozenset({b"null", b"[]", b"{}"})


def demand_usable_defaults(defaults: Mapping[str, msgspec.Raw]) -> None:
    """Raise unless every new key can have these.

    Raises:
        Misconfigured: it names the setting and what is wrong with it.
    """
    try:
        fields = msgspec.json.decode(msgspec.json.encode(dict(defaults)), type=GenerateKeyRequest, strict=False)
        changes_of(fields, dict(defaults), 0.0, UTC_MIDNIGHT)
    except (Refused, msgspec.MsgspecError) as problem:
        said = problem.told() if isinstance(problem, Refused) else str(problem)
        raise Misconfigured(f"litellm_settings.default_key_generate_params: {said}") from None


def with_defaults(fields: Mapping[str, msgspec.Raw], defaults: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """The fields of a new key, with the defaults for those that are missing, null or empty, as LiteLLM has it."""
    missing = {name: raw for name, raw in defaults.items() if name not in fields or bytes(fields[name]) in _EMPTY}
    return {**fields, **missing}


def bounded(fields: Fields, bounds: KeyBounds, *, new: bool = True) -> Fields:
    """The fields within the bounds: what is not given, or unlimited, gets the bound; as LiteLLM has it.

    Of a key that is there (not ``new``) what is not given stays as it is, and what shall be unlimited gets the bound.

    Raises:
        Malformed: a field is over its bound; ``param`` is the field.
    """
    found: dict[str, object] = {}
    for name in ("max_budget", "max_parallel_requests", "tpm_limit", "rpm_limit"):
        bound = getattr(bounds, name)
        value = getattr(fields, name)
        if bound is not None and (new or value is not UNSET):
            found[name] = value if isinstance(value, int | float) else bound
            _demand_within(name, value, bound, bound)
    for name in ("budget_duration", "duration"):
        bound = getattr(bounds, name)
        value = getattr(fields, name)
        if bound is not None and (new or value is not UNSET):
            found[name] = value if isinstance(value, str) else bound
            length = approximate_seconds(value, name) if isinstance(value, str) else None
            _demand_within(name, length, approximate_seconds(bound, name), bound)
    return msgspec.structs.replace(fields, **found)


async def for_member(office: Office, caller: Principal, fields: Fields, old: KeyRecord | None = None) -> Fields:
    """The fields of a key, new or ``old``, within how long keys of members live in its team.

    A new key of a member lives so long if nothing else is said; only who administers the team may say that one lives
    longer.

    Raises:
        Malformed: it would live longer.
    """
    before = None if old is None else old.team_id
    team_id = fields.team_id if isinstance(fields.team_id, str) else before if fields.team_id is UNSET else None
    team = None if not team_id else await office.directory.get(TEAMS, team_id)
    if team is None or team.member_key_duration is None:
        return fields
    rights = await rights_of(office, caller)
    free, said = rights.administers_team(team), fields.duration
    if free and (old is not None or said is not UNSET or not isinstance(fields.user_id, str)):
        return fields
    joins = old is None or old.team_id != team_id
    if said is UNSET and not joins:
        return fields
    if isinstance(said, str) and said not in _ENDLESS:
        most = approximate_seconds(team.member_key_duration, "team_member_key_duration")
        _demand_within("duration", approximate_seconds(said, "duration"), most, team.member_key_duration)
        return fields
    return msgspec.structs.replace(fields, duration=team.member_key_duration)


def _demand_within(name: str, value: object, bound: float, shown: object) -> None:
    if isinstance(value, int | float) and value > bound:
        raise Malformed(f"{name} is over the upper bound of {shown}.", hint="The operator has set it.", param=name)
