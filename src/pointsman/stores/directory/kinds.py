"""The kinds of entries, and what of an entry a store can find it by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from pointsman.stores.directory.records import (
    AccessGroup,
    AlertMark,
    Budget,
    Customer,
    HealthHistory,
    ModelGroupBudget,
    Organization,
    OrganizationMember,
    PlannedRotation,
    Project,
    RetiredKey,
    StoredCredential,
    StoredModel,
    Tag,
    Team,
    TeamMember,
    User,
    member_id,
)

__all__ = [
    "ACCESS_GROUPS",
    "ALERT_MARKS",
    "BUDGETS",
    "CREDENTIALS",
    "CUSTOMERS",
    "HEALTH_HISTORIES",
    "MODELS",
    "MODEL_GROUP_BUDGETS",
    "ORGANIZATIONS",
    "ORGANIZATION_MEMBERS",
    "PLANNED_ROTATIONS",
    "PROJECTS",
    "RETIRED_KEYS",
    "TAGS",
    "TEAMS",
    "TEAM_MEMBERS",
    "USERS",
    "Kind",
    "Place",
]

T = TypeVar("T", bound=msgspec.Struct)


def _nothing(_record: msgspec.Struct) -> None:
    return None


class Place(msgspec.Struct, frozen=True):
    """Where an entry lies: its kind and id, and what it can be found by."""

    kind: str
    identity: str
    alias: str | None
    parent: str | None
    owner: str | None
    created_at: float
    updated_at: float


class Kind(Generic[T]):
    """One kind of entries.

    ``alias`` is a second name, and with ``unique_alias`` only one entry may have it; ``parent`` is the group that an
    entry belongs to, ``owner`` the user.
    """

    def __init__(
        self,
        name: str,
        record: type[T],
        identity: Callable[[T], str],
        *,
        alias: Callable[[T], str | None] = _nothing,
        parent: Callable[[T], str | None] = _nothing,
        owner: Callable[[T], str | None] = _nothing,
        unique_alias: bool = False,
    ) -> None:
        self.name = name
        self.record = record
        self.identity = identity
        self.unique_alias = unique_alias
        self._alias = alias
        self._parent = parent
        self._owner = owner
        self._decoder = msgspec.json.Decoder(record)

    def place(self, record: T) -> Place:
        """Where the entry lies."""
        created_at: float = getattr(record, "created_at", 0.0)
        updated_at: float = getattr(record, "updated_at", 0.0)
        return Place(
            self.name,
            self.identity(record),
            self._alias(record),
            self._parent(record),
            self._owner(record),
            created_at,
            updated_at,
        )

    def encode(self, record: T) -> str:
        """The entry as it is stored.

        Raises:
            UnicodeEncodeError: a text is no Unicode.
        """
        return msgspec.json.encode(record).decode()

    def decode(self, text: str) -> T:
        """The entry as it was stored, perhaps by a later version, whose additions are let go of."""
        return self._decoder.decode(text)


BUDGETS: Final = Kind("budget", Budget, lambda record: record.budget_id)
ORGANIZATIONS: Final = Kind(
    "organization", Organization, lambda record: record.organization_id, alias=lambda record: record.alias
)
ORGANIZATION_MEMBERS: Final = Kind(
    "organization_member",
    OrganizationMember,
    lambda record: member_id(record.organization_id, record.user_id),
    parent=lambda record: record.organization_id,
    owner=lambda record: record.user_id,
)
TEAMS: Final = Kind(
    "team",
    Team,
    lambda record: record.team_id,
    alias=lambda record: record.alias,
    parent=lambda record: record.organization_id,
)
TEAM_MEMBERS: Final = Kind(
    "team_member",
    TeamMember,
    lambda record: member_id(record.team_id, record.user_id),
    parent=lambda record: record.team_id,
    owner=lambda record: record.user_id,
)
PROJECTS: Final = Kind(
    "project",
    Project,
    lambda record: record.project_id,
    alias=lambda record: record.alias,
    parent=lambda record: record.team_id,
)
MODEL_GROUP_BUDGETS: Final = Kind("model_group_budget", ModelGroupBudget, lambda record: record.name)
USERS: Final = Kind(
    "user",
    User,
    lambda record: record.user_id,
    alias=lambda record: record.email,
    owner=lambda record: record.sso_user_id,
)
CUSTOMERS: Final = Kind("customer", Customer, lambda record: record.customer_id, alias=lambda record: record.alias)
TAGS: Final = Kind("tag", Tag, lambda record: record.name)
ACCESS_GROUPS: Final = Kind(
    "access_group",
    AccessGroup,
    lambda record: record.access_group_id,
    alias=lambda record: record.name,
    unique_alias=True,
)
MODELS: Final = Kind(
    "model",
    StoredModel,
    lambda record: record.model_id,
    alias=lambda record: record.name,
    parent=lambda record: record.team_id,
)
CREDENTIALS: Final = Kind("credential", StoredCredential, lambda record: record.name)
ALERT_MARKS: Final = Kind("alert_mark", AlertMark, lambda record: record.account)
RETIRED_KEYS: Final = Kind(
    "retired_key",
    RetiredKey,
    lambda record: record.token,
    alias=lambda record: _sortable(record.until),
    parent=lambda record: record.successor,
)
PLANNED_ROTATIONS: Final = Kind(
    "key_rotation", PlannedRotation, lambda record: record.token, alias=lambda record: _sortable(record.due_at)
)

HEALTH_HISTORIES: Final = Kind(
    "health_history", HealthHistory, lambda record: record.deployment_id, parent=lambda record: record.model_name
)


def _sortable(moment: float) -> str:
    """Seconds since the epoch as a text, the earlier one of two before the later."""
    return f"{moment:017.3f}"
