"""What ``/organization/…`` is sent. Field names and meanings: LiteLLM's ``NewOrganizationRequest`` and its kin.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` says "none". Amounts are in USD.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.governance.limit_fields import BudgetFields
from pointsman.admin.keys.requests import Count, Dollars, Label, ModelName
from pointsman.admin.people.fields import Email, Models
from pointsman.admin.people.passive import Passive

__all__ = [
    "ORGANIZATION_PASSIVE",
    "NewOrganizationRequest",
    "OrganizationFields",
    "OrganizationIdsRequest",
    "OrganizationListQuery",
    "OrganizationMember",
    "OrganizationMemberAddRequest",
    "OrganizationMemberDeleteRequest",
    "OrganizationMemberUpdateRequest",
    "OrganizationPatchRequest",
    "OrganizationQuery",
    "OrganizationRole",
    "OrganizationsRequest",
    "UpdateOrganizationRequest",
]

OrganizationRole = Literal["org_admin", "internal_user", "internal_user_viewer"]

ORGANIZATION_PASSIVE: Final = Passive(
    refused=frozenset({"allowed_models", "object_permission"}),
    kept=frozenset(),
)


class OrganizationFields(BudgetFields, frozen=True, kw_only=True):
    """What can be said about an organisation; limits are those of its budget, or of its own beside that."""

    organization_alias: Label | UnsetType | None = UNSET
    budget_id: Label | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    metadata: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    model_rpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_tpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_itpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_otpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    blocked: bool | UnsetType | None = UNSET


class NewOrganizationRequest(OrganizationFields, frozen=True, kw_only=True):
    """A new organisation. Without ``budget_id`` it gets a budget with the limits that are given."""

    organization_alias: Label
    organization_id: Label | None = None


class UpdateOrganizationRequest(OrganizationFields, frozen=True, kw_only=True):
    """Changes to an organisation; ``spend`` sets what it has spent so far."""

    organization_id: Label
    spend: Dollars | UnsetType | None = UNSET
    updated_by: Label | None = None


class OrganizationPatchRequest(OrganizationFields, frozen=True, kw_only=True):
    """Changes to the organisation in the path."""

    spend: Dollars | UnsetType | None = UNSET


class OrganizationIdsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Organisations to delete, with their teams."""

    organization_ids: Annotated[tuple[Label, ...], Meta(max_length=100)]


class OrganizationsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Organisations to show."""

    organizations: Annotated[tuple[Label, ...], Meta(max_length=100)]


class OrganizationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which organisation."""

    organization_id: Label


class OrganizationListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which organisations to list; the alias need only occur."""

    org_id: str | None = None
    org_alias: str | None = None


class OrganizationMember(msgspec.Struct, frozen=True, kw_only=True):
    """A member of an organisation: by ``user_id``, or by ``user_email``; who does not exist yet is made."""

    role: OrganizationRole
    user_id: Label | None = None
    user_email: Email | None = None


class OrganizationMemberAddRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One new member or several."""

    organization_id: Label
    member: OrganizationMember | tuple[OrganizationMember, ...]
    max_budget_in_organization: Dollars | None = None


class OrganizationMemberUpdateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a member."""

    organization_id: Label
    user_id: Label | None = None
    user_email: Email | None = None
    role: OrganizationRole | None = None
    max_budget_in_organization: Dollars | None = None


class OrganizationMemberDeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A member who leaves."""

    organization_id: Label
    user_id: Label | None = None
    user_email: Email | None = None
