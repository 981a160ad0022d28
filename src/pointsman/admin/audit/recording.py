"""Writes down every request that changes something: before it is worked on, and how it ended.

Where the log cannot be written the change is not made. Where it can no longer be written once the change is made, the
entry that was begun stays as ``unknown``, and the change stands: so the log has each change at least once, and of some
that were never made the attempt.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request

from pointsman.admin.audit.kinds import action_of, object_of, table_of
from pointsman.admin.change import Change
from pointsman.admin.failures import CALL_ID
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Route, Visit
from pointsman.config.masking import masked
from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError, Refused, StorageUnavailable, UpstreamFailed
from pointsman.policies.principal import Principal
from pointsman.stores.audit import AuditEntry, AuditOutcome

__all__ = ["Recorder"]

_TURNED_AWAY_A_MINUTE: Final = 60
"""Attempts of those who were not let in; more are only counted, so that nobody can fill the disk by trying."""

_VALUE_BYTES_MAX: Final = 64 * 1024
_TEXT_CHARACTERS_MAX: Final = 500
_NAME_CHARACTERS_MAX: Final = 256
_TOO_LONG: Final = msgspec.Raw(b'{"_": "too long to be kept"}')
_UNREADABLE: Final = msgspec.Raw(b'{"_": "no JSON that can be kept"}')
_NOBODY: Final = "nobody"
_log: Final = logging.getLogger("pointsman.audit")


class Recorder:
    """Writes into ``office.audit``."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._turned_away: deque[float] = deque(maxlen=_TURNED_AWAY_A_MINUTE)
        self._uncounted = 0

    async def begin(self, route: Route[Any, Any], request: Request, visit: Visit[Any, Any]) -> AuditEntry:
        """The entry of a request that is about to be worked on.

        Raises:
            StorageUnavailable: it cannot be written down, so that the request must not be worked on.
        """
        path = _template(request, route)
        entry = AuditEntry(
            **self._facts(route, request, path),
            changed_by=_changed_by(request.headers, visit.caller),
            changed_by_api_key=visit.caller.record.token,
            action=action_of(route.method, path),
            table_name=table_of(path),
            object_id=object_of(visit.path, visit.fields),
            updated_values=_value(dict(visit.fields)) if visit.fields else None,
        )
        await self._office.audit.append([entry])
        return entry

    async def complete(self, entry: AuditEntry, changes: Sequence[Change], answer: Answer) -> None:
        """The request was worked on, and that was the answer."""
        outcome: AuditOutcome = "done" if answer.status < 400 else "failed" if answer.status >= 500 else "refused"
        ended = msgspec.structs.replace(entry, outcome=outcome, status=answer.status)
        await self._write([_with(ended, change, number) for number, change in enumerate(changes)] or [ended])

    async def failed(self, entry: AuditEntry, changes: Sequence[Change], error: GatewayError) -> None:
        """The request was worked on and ended in an error; ``changes`` were made before that."""
        outcome: AuditOutcome = "refused" if isinstance(error, Refused) else "failed"
        if isinstance(error, StorageUnavailable | UpstreamFailed):
            outcome = "unknown"  # after a write that means: nobody knows whether it happened
        ended = _with_error(entry, error, outcome)
        made = [
            msgspec.structs.replace(_with(entry, change, number + 1), outcome="done")
            for number, change in enumerate(changes)
        ]
        await self._write([ended, *made])

    async def turned_away(self, route: Route[Any, Any], request: Request, error: GatewayError) -> None:
        """The request was not worked on at all: its caller may not, or nobody can read what it says."""
        now = self._office.clock.monotonic()
        full = len(self._turned_away) == _TURNED_AWAY_A_MINUTE
        if full and now - self._turned_away[0] < 60.0:
            self._uncounted += 1
            if self._uncounted % _TURNED_AWAY_A_MINUTE == 1:
                _log.warning("Many attempts at changes are refused; %d were not written down.", self._uncounted)
            return
        self._turned_away.append(now)
        path = _template(request, route)
        token = self._presented(request)
        entry = AuditEntry(
            **self._facts(route, request, path),
            changed_by=_claimed(request.headers) or _NOBODY,
            changed_by_api_key=token,
            action=action_of(route.method, path),
            table_name=table_of(path),
            object_id=object_of(request.path_params, {}),
        )
        await self._append(_with_error(entry, error, "refused"))

    async def let_in(self, route: Route[Any, Any], request: Request, visit: Visit[Any, Any], answer: Answer) -> None:
        """A request was worked on, and is kept afterwards: a sign-in, say. Of what it says only its object is kept."""
        path = _template(request, route)
        outcome: AuditOutcome = "done" if answer.status < 400 else "refused"
        entry = AuditEntry(
            **self._facts(route, request, path),
            changed_by=_claimed(request.headers) or _NOBODY,
            action=action_of(route.method, path),
            table_name=table_of(path),
            object_id=object_of(visit.path, visit.fields),
            outcome=outcome,
            status=answer.status,
        )
        entries = [_with(entry, change, number) for number, change in enumerate(visit.changes)] or [entry]
        for one in entries:
            await self._append(one)

    def _facts(self, route: Route[Any, Any], request: Request, path: str) -> dict[str, Any]:
        client = request.scope.get("client")
        return {
            "id": call_id(),
            "at": self._office.clock.wall(),
            "route": f"{route.method} {path}",
            "call_id": request.scope.get(CALL_ID, ""),
            "peer": client[0] if client else "",
        }

    def _presented(self, request: Request) -> str:
        try:
            return self._office.keyring.token(request.scope["headers"])
        except GatewayError:
            return ""

    async def _append(self, entry: AuditEntry) -> None:
        try:
            await self._office.audit.append([entry])
        except StorageUnavailable as problem:
            _log.warning("An attempt could not be written down: %s. %s", entry.route, problem.message)

    async def _write(self, entries: Sequence[AuditEntry]) -> None:
        try:
            await self._office.audit.complete(entries)
        except StorageUnavailable as problem:
            _log.warning("How a change ended could not be written down: %s. %s", entries[0].route, problem.message)


def _with(entry: AuditEntry, change: Change, number: int) -> AuditEntry:
    """The entry of one change; the first of a request has the id of what was begun."""
    return msgspec.structs.replace(
        entry,
        id=entry.id if number == 0 else f"{entry.id}-{number}",
        action=change.action,
        table_name=change.table_name,
        object_id=change.object_id,
        changed_by=change.by or entry.changed_by,
        before_value=None if change.before is None else _value(change.before),
        updated_values=None if change.after is None else _value(change.after),
    )


def _with_error(entry: AuditEntry, error: GatewayError, outcome: AuditOutcome) -> AuditEntry:
    message = str(masked(error.message))[:_TEXT_CHARACTERS_MAX]
    return msgspec.structs.replace(entry, outcome=outcome, status=error.status, message=message)


def _value(value: object) -> msgspec.Raw:
    """As JSON, with the secrets masked."""
    try:
        encoded = msgspec.json.encode(masked(msgspec.json.decode(msgspec.json.encode(value))))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _UNREADABLE  # a number beyond all bounds, say, in a field that nobody reads before the handler
    return msgspec.Raw(encoded) if len(encoded) <= _VALUE_BYTES_MAX else _TOO_LONG


def _template(request: Request, route: Route[Any, Any]) -> str:
    """The path as it stands in the table of routes."""
    matched = getattr(request.scope.get("route"), "path", None)
    return matched if isinstance(matched, str) else route.paths[0]


def _claimed(headers: Mapping[str, str]) -> str:
    claimed = headers.get("litellm-changed-by", "")[:_NAME_CHARACTERS_MAX]
    return claimed if claimed.isprintable() else ""


def _changed_by(headers: Mapping[str, str], caller: Principal) -> str:
    """LiteLLM's header, else the user or the key that asks."""
    return _claimed(headers) or caller.record.user_id or caller.record.key_alias or "default_user_id"
