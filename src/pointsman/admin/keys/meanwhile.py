"""What others change of a key between the look at it and the change is neither overwritten nor overlooked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from pointsman.admin.office import Office
from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import Conflict
from pointsman.stores.records import no_such_key

__all__ = ["attempted", "demand_unchanged"]

T = TypeVar("T")

_CODE: Final = "key_changed_meanwhile"
_ATTEMPTS_MAX: Final = 20


def demand_unchanged(seen: KeyRecord, current: KeyRecord) -> None:
    """Raise if the key is not any more what was looked at, but for what it has spent.

    Raises:
        Conflict: it is not.
    """
    spent = {name: getattr(current, name) for name in ("spend", "last_active", "budget_reset_at", "updated_at")}
    if msgspec.structs.replace(seen, **spent) != current:
        raise Conflict(
            "The key is being changed by others at this moment.",
            hint="Look at it, and try again.",
            code=_CODE,
            param="key",
            status=409,
        )


async def attempted(office: Office, record: KeyRecord, attempt: Callable[[KeyRecord], Awaitable[T]]) -> T:
    """What ``attempt`` gives for the key; as often as others changed it meanwhile, for the key as it is then.

    Raises:
        NotFound: it is no more.
        Conflict: others changed it every time; or another one, which ``attempt`` raised.
    """
    for _ in range(_ATTEMPTS_MAX - 1):
        try:
            return await attempt(record)
        except Conflict as refused:
            if refused.code != _CODE:
                raise
        found = await office.keys.get(record.token)
        if found is None:
            raise no_such_key()
        record = found
    return await attempt(record)
