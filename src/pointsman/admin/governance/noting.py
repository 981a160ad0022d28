"""What the audit log is told of a change of a budget, customer, tag or access group: its row before and after."""

from __future__ import annotations

from typing import Any

from pointsman.admin.change import Change, ChangeAction, TableName
from pointsman.admin.route import Visit

__all__ = ["note"]


def note(
    visit: Visit[Any, Any], action: ChangeAction, table: TableName, identity: str, *, before: object, after: object
) -> None:
    """One object was changed; None: it was not there, or is no more."""
    visit.changes.append(Change(action=action, table_name=table, object_id=identity, before=before, after=after))
