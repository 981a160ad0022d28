"""What a handler tells the audit log of a change that it made; see :mod:`pointsman.admin.audit`."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Change", "ChangeAction", "TableName"]

ChangeAction = Literal["created", "updated", "deleted", "blocked", "unblocked", "rotated"]
"""LiteLLM's words."""

TableName = Literal[
    "LiteLLM_TeamTable",
    "LiteLLM_UserTable",
    "LiteLLM_VerificationToken",
    "LiteLLM_ProxyModelTable",
    "LiteLLM_CredentialsTable",
    "LiteLLM_OrganizationTable",
    "LiteLLM_BudgetTable",
    "LiteLLM_EndUserTable",
    "LiteLLM_TagTable",
    "LiteLLM_AccessGroupTable",
    "LiteLLM_ProjectTable",
    "LiteLLM_Config",
    "Pointsman_Session",
    "Pointsman_Host",
    "Pointsman_Other",
]
"""Which kind of object: LiteLLM's names of its tables, and ours for what it has no table for."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One object before and after; None: it was not there, or is no more.

    Both are whatever JSON can be made of: a reply's row is best. Secrets in them are masked before they are written.
    ``by`` is who made it, where that is not who asks.
    """

    action: ChangeAction
    table_name: TableName
    object_id: str
    before: object = None
    after: object = None
    by: str | None = None
