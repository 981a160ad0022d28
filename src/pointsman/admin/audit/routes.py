"""The routes of the audit log."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin.audit import showing as audit
from pointsman.admin.route import Nothing, Route
from pointsman.core.identity import Scope

__all__ = ["AUDIT_ROUTES"]

AUDIT_ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "GET", ("/audit",), Scope.VIEWER, audit.audit_log,
        summary="Who changed what, page by page", tier="litellm",
        query=audit.AuditLogQuery, body=Nothing, reply=audit.AuditLogPage,
    ),
    Route(
        # Before the path of single entries.
        "GET", ("/audit/export",), Scope.VIEWER, audit.export_audit_log,
        summary="Who changed what, as a file", tier="pointsman", query=audit.AuditExportQuery, body=Nothing,
    ),
    Route(
        "GET", ("/audit/{id}",), Scope.VIEWER, audit.audit_log_entry,
        summary="One entry of the audit log", tier="litellm", query=Nothing, body=Nothing, reply=audit.AuditLog,
    ),
)  # fmt: skip
