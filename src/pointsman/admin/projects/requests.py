"""What ``/project/…`` is sent. Field names and meanings: LiteLLM's ``NewProjectRequest`` and its kin.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` says "none". Amounts are in USD.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.governance.limit_fields import BudgetFields
from pointsman.admin.keys.requests import Count, Label, ModelName
from pointsman.admin.people.fields import Models
from pointsman.admin.people.passive import Passive

__all__ = [
    "PROJECT_PASSIVE",
    "NewProjectRequest",
    "ProjectFields",
    "ProjectIdsRequest",
    "ProjectQuery",
    "UpdateProjectRequest",
]

PROJECT_PASSIVE: Final = Passive(
    refused=frozenset({
        "allowed_models", "guardrails", "object_permission", "policies",
    }),
    kept=frozenset(),
)  # fmt: skip


class ProjectFields(BudgetFields, frozen=True, kw_only=True):
    """What can be said about a project; limits are those of its budget, or of its own beside that."""

    project_alias: Label | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=4096)] | UnsetType | None = UNSET
    budget_id: Label | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    metadata: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    tags: tuple[Label, ...] | UnsetType | None = UNSET
    model_rpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_tpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_itpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_otpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    blocked: bool | UnsetType | None = UNSET


class NewProjectRequest(ProjectFields, frozen=True, kw_only=True):
    """A new project of a team. Without ``budget_id`` it gets a budget with the limits that are given."""

    team_id: Label
    project_id: Label | None = None


class UpdateProjectRequest(ProjectFields, frozen=True, kw_only=True):
    """Changes to a project; ``team_id`` moves it to another team."""

    project_id: Label
    team_id: Label | UnsetType | None = UNSET


class ProjectIdsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Projects to delete."""

    project_ids: Annotated[tuple[Label, ...], Meta(max_length=100)]


class ProjectQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which project."""

    project_id: Label
