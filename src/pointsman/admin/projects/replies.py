"""What ``/project/…`` answers: a row in LiteLLM's field names, amounts in USD, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.admin.governance.limit_fields import MODEL_RATES, BudgetTable, budget_table
from pointsman.admin.governance.periods import budgets_named, joined_limits, spent_by
from pointsman.admin.office import Office
from pointsman.admin.timestamps import iso
from pointsman.core.price import dollars
from pointsman.stores.charges import PROJECT
from pointsman.stores.directory.records import Project

__all__ = ["ProjectRow", "project_rows"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ProjectRow(msgspec.Struct, kw_only=True):
    """A project (LiteLLM_ProjectTable). ``litellm_budget_table`` is what binds it.

    As in LiteLLM, ``metadata`` repeats the tags and the limits of single models.
    """

    project_id: str
    project_alias: str | None
    description: str | None
    team_id: str | None
    budget_id: str | None
    metadata: dict[str, msgspec.Raw]
    models: tuple[str, ...]
    tags: tuple[str, ...]
    spend: float
    model_spend: dict[str, float]
    model_rpm_limit: dict[str, int]
    model_tpm_limit: dict[str, int]
    model_itpm_limit: dict[str, int]
    model_otpm_limit: dict[str, int]
    blocked: bool
    created_by: str | None
    updated_by: str | None
    created_at: str
    updated_at: str
    litellm_budget_table: BudgetTable | None
    object_permission: msgspec.Raw | None = None
    object_permission_id: None = None


async def project_rows(office: Office, projects: Sequence[Project]) -> list[ProjectRow]:
    """The row of each."""
    spent = await spent_by(office, PROJECT, [one.project_id for one in projects])
    budgets = await budgets_named(office, [one.budget_id for one in projects])
    rows: list[ProjectRow] = []
    for one in projects:
        budget = None if one.budget_id is None else budgets.get(one.budget_id)
        limits, its = joined_limits(one.limits, budget), spent[one.project_id]
        rows.append(
            ProjectRow(
                project_id=one.project_id,
                project_alias=one.alias,
                description=one.description,
                team_id=one.team_id,
                budget_id=one.budget_id,
                metadata=_metadata(one),
                models=one.models,
                tags=one.tags,
                spend=dollars(its.amount),
                model_spend={},
                model_rpm_limit=limits.model_rpm_limit,
                model_tpm_limit=limits.model_tpm_limit,
                model_itpm_limit=limits.model_itpm_limit,
                model_otpm_limit=limits.model_otpm_limit,
                blocked=one.blocked,
                created_by=one.created_by,
                updated_by=one.updated_by or one.created_by,
                created_at=iso(one.created_at),
                updated_at=iso(one.updated_at),
                litellm_budget_table=budget_table(limits, one.budget_id, its.reset_at, one.created_at),
                object_permission=_decode_object(one.extra).get("object_permission"),
            )
        )
    return rows


def _metadata(one: Project) -> dict[str, msgspec.Raw]:
    found = _decode_object(one.metadata)
    repeated = {"tags": one.tags} | {name: getattr(one.limits, name) for name in MODEL_RATES}
    return found | {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in repeated.items() if value}
