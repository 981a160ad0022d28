"""What the audit log is told of a change of a key: its row before and after. The key itself is in neither."""

from __future__ import annotations

from typing import Any

from pointsman.admin.change import Change, ChangeAction
from pointsman.admin.keys.replies import full_row
from pointsman.admin.route import Visit
from pointsman.core.identity import KeyRecord

__all__ = ["note_key"]


def note_key(
    visit: Visit[Any, Any], action: ChangeAction, before: KeyRecord | None, after: KeyRecord | None = None
) -> None:
    """One key was changed; None: it was not there, or is no more."""
    named = before or after
    visit.changes.append(
        Change(
            action=action,
            table_name="LiteLLM_VerificationToken",
            object_id="" if named is None else named.token,
            before=None if before is None else full_row(before),
            after=None if after is None else full_row(after),
        )
    )
