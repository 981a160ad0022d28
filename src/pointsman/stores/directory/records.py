"""The entries of the directory. Money is in picodollars (1e-12 USD), times are in seconds since the epoch.

What an entry may not do is in its ``limits``; what it has spent is not here but in the spend counters, since that
changes with every call. ``metadata`` and ``extra`` are JSON objects; ``extra`` holds LiteLLM's fields that are kept and
shown but not heeded.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

import msgspec

__all__ = [
    "NO_LIMITS",
    "AccessGroup",
    "AlertMark",
    "Budget",
    "BudgetWindow",
    "Customer",
    "HealthHistory",
    "HealthLine",
    "Limits",
    "MemberRole",
    "ModelGroupBudget",
    "ModelLimits",
    "Organization",
    "OrganizationMember",
    "PlannedRotation",
    "Project",
    "RetiredKey",
    "Role",
    "StoredCredential",
    "StoredModel",
    "Tag",
    "Team",
    "TeamMember",
    "User",
    "member_id",
    "member_of",
]

_EMPTY: Final = msgspec.Raw(b"{}")


class Role(Enum):
    """What somebody is for the whole gateway, in LiteLLM's words."""

    ADMIN = "proxy_admin"
    VIEWER = "proxy_admin_viewer"
    ORGANIZATION_ADMIN = "org_admin"
    USER = "internal_user"
    USER_VIEWER = "internal_user_viewer"
    TEAM = "team"
    CUSTOMER = "customer"


MemberRole = Literal["admin", "user"]
"""What somebody is within a team."""


class ModelLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one model may cost within a period (``duration``; None: within the budget's own), and how often."""

    max_budget: int | None = None
    duration: str | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None


class BudgetWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A budget beside the main one, with a period of its own."""

    duration: str
    max_budget: int


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that can bound an account; None and empty: unlimited.

    ``tpd_limit`` is tokens per day; ``itpm_limit`` and ``otpm_limit`` are input and output tokens of a minute. The
    dictionaries are by model group, ``tag_rpm_limit`` by tag.
    """

    max_budget: int | None = None
    soft_budget: int | None = None
    budget_duration: str | None = None
    budget_limits: tuple[BudgetWindow, ...] = ()
    temp_budget_increase: int | None = None
    temp_budget_expiry: float | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    tpd_limit: int | None = None
    itpm_limit: int | None = None
    otpm_limit: int | None = None
    max_parallel_requests: int | None = None
    model_limits: dict[str, ModelLimits] = {}
    model_rpm_limit: dict[str, int] = {}
    model_tpm_limit: dict[str, int] = {}
    model_itpm_limit: dict[str, int] = {}
    model_otpm_limit: dict[str, int] = {}
    tag_rpm_limit: dict[str, int] = {}
    rpm_limit_type: str | None = None
    tpm_limit_type: str | None = None


NO_LIMITS: Final = Limits()


class _Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every entry has."""

    created_at: float = 0.0
    updated_at: float = 0.0
    created_by: str | None = None
    updated_by: str | None = None
    metadata: msgspec.Raw = _EMPTY
    extra: msgspec.Raw = _EMPTY


class Budget(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Limits with a name, which several others share; each of them has its own spending."""

    budget_id: str
    limits: Limits = NO_LIMITS


class Organization(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Several teams. No ``models``: all of them."""

    organization_id: str
    alias: str | None = None
    models: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS
    blocked: bool = False


class OrganizationMember(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A user in an organisation."""

    organization_id: str
    user_id: str
    role: Role = Role.USER
    budget_id: str | None = None
    limits: Limits = NO_LIMITS


class Team(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Several users and keys. No ``models``: all of them.

    ``member_limits`` bound each member who has none of their own; ``member_permissions`` are the paths of the
    management API that members who do not administer the team may use for its keys, ``member_key_duration`` is how long
    their keys live.
    """

    team_id: str
    alias: str | None = None
    organization_id: str | None = None
    models: tuple[str, ...] = ()
    model_aliases: dict[str, str] = {}
    default_member_models: tuple[str, ...] = ()
    access_group_ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS
    member_budget_id: str | None = None
    member_limits: Limits = NO_LIMITS
    member_permissions: tuple[str, ...] | None = None
    member_key_duration: str | None = None
    blocked: bool = False


class Project(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """What several keys of a team are for. No ``models``: all those of the team."""

    project_id: str
    alias: str | None = None
    description: str | None = None
    team_id: str | None = None
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS
    blocked: bool = False


class ModelGroupBudget(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """What those together may spend who were given a group of models (``model_info.access_groups``) by its name."""

    name: str
    budget_id: str | None = None
    limits: Limits = NO_LIMITS


class TeamMember(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A user in a team. No ``models``: all those of the team."""

    team_id: str
    user_id: str
    role: MemberRole = "user"
    models: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS


class User(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A person, or an account that acts like one. ``password`` is a salted hash, and never shown."""

    user_id: str
    alias: str | None = None
    email: str | None = None
    role: Role = Role.USER
    sso_user_id: str | None = None
    password: str | None = None
    models: tuple[str, ...] = ()
    access_group_ids: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS
    blocked: bool = False


class Customer(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Whom the operator's own service answers: the ``user`` field of a request."""

    customer_id: str
    alias: str | None = None
    blocked: bool = False
    default_model: str | None = None
    allowed_model_region: str | None = None
    models: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS


class Tag(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A word that requests carry, with the models that it leads to and what it may cost."""

    name: str
    description: str | None = None
    models: tuple[str, ...] = ()
    budget_id: str | None = None
    limits: Limits = NO_LIMITS


class AccessGroup(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Models under one name, which keys, teams and users may be given together."""

    access_group_id: str
    name: str
    description: str | None = None
    models: tuple[str, ...] = ()
    team_ids: tuple[str, ...] = ()
    key_tokens: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS


class StoredModel(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment that was added at run time: an entry of ``model_list``. Secrets in ``params`` are encrypted."""

    model_id: str
    name: str
    params: msgspec.Raw = _EMPTY
    info: msgspec.Raw = _EMPTY
    team_id: str | None = None
    blocked: bool = False


class StoredCredential(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Values for reaching a provider, under a name; ``values`` are encrypted, ``info`` is not."""

    name: str
    values: msgspec.Raw = _EMPTY
    info: msgspec.Raw = _EMPTY


class AlertMark(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """The last alert about a budget, so that of several processes one sends it, once in a period.

    ``account`` is whose budget it is, ``period`` tells one period of it from the next, ``percents`` are those of which
    an alert was sent in this period.
    """

    account: str
    period: str = ""
    percents: tuple[int, ...] = ()


class RetiredKey(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """The hash of a key in whose place came another (``successor``, a hash too), and until when both work."""

    token: str
    successor: str
    until: float


class PlannedRotation(_Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A key, by its hash, that is to be replaced at ``due_at`` and then every ``interval``."""

    token: str
    due_at: float
    interval: str


def member_id(group_id: str, user_id: str) -> str:
    """The id of a user in a team or an organisation; unambiguous, whatever both are called."""
    return f"{len(group_id)}:{group_id}/{user_id}"


def member_of(identity: str) -> tuple[str, str]:
    """The group and the user whom :func:`member_id` gave that id."""
    length, _, rest = identity.partition(":")
    return rest[: int(length)], rest[int(length) + 1 :]


class HealthLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a check of a deployment found; ``seconds`` is how long it took, ``checked_by`` whose question it was."""

    id: str
    healthy: bool
    at: float
    seconds: float = 0.0
    error: str | None = None
    checked_by: str = ""


class HealthHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What checks of a deployment found, the newest first; that nothing changed stands there once an hour."""

    deployment_id: str
    model_name: str
    lines: tuple[HealthLine, ...] = ()
    created_at: float = 0.0
    updated_at: float = 0.0
