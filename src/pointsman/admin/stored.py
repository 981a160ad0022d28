"""What the routes of stored models and of credentials share: may anything be stored, and is it sound?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.admin.office import Office, Problem, StoredDesk
from pointsman.config.masking import is_secret_param, mask
from pointsman.config.stored import ADDRESSES
from pointsman.core.errors import Malformed, Unsupported

__all__ = ["demand_secrets_anew", "demand_stores", "refuse_problems", "without_masks"]

_TOLD_MAX = 5


async def demand_stores(office: Office) -> StoredDesk:
    """The desk for what is stored, which knows what other processes have stored up to now.

    Raises:
        Unsupported: the operator wants nothing stored.
        StorageUnavailable: nobody can say what is stored.
    """
    if office.stored is None or not office.stored.enabled:
        raise Unsupported(
            "Models and credentials are not added at run time here.",
            hint="Set general_settings.store_model_in_db: true, or change the configuration file.",
            code="store_model_in_db_off",
        )
    await office.stored.look()
    return office.stored


def refuse_problems(problems: Sequence[Problem]) -> None:
    """Raise if there are any; the message has the first few.

    Raises:
        Malformed: ``param`` is the field of the first.
    """
    if problems:
        told = " ".join(f"{problem.param}: {problem.message}" for problem in problems[:_TOLD_MAX])
        raise Malformed(told, hint=problems[0].hint, param=problems[0].param)


def without_masks(given: Mapping[str, object], stored: Mapping[str, object]) -> dict[str, object]:
    """``given`` without the fields that say what was shown in place of a stored secret, and so mean: as it is."""
    return {
        name: value
        for name, value in given.items()
        if not (isinstance(value, str) and isinstance(old := stored.get(name), str) and value == mask(old))
    }


def demand_secrets_anew(
    before: Mapping[str, object], after: Mapping[str, object], given: Mapping[str, object], field: str
) -> None:
    """Raise where a stored secret would be sent to an address that it was not stored for.

    Else whoever may change what is stored could have it sent to themselves. ``given`` is what the request says of the
    values ``before``, which would become ``after``.

    Raises:
        Malformed: a secret has to be said again; ``param`` names it, within ``field``.
    """
    moved = sorted(name for name in ADDRESSES if before.get(name) != after.get(name))
    kept = sorted(
        name
        for name, value in before.items()
        if name not in ADDRESSES and is_secret_param(name, value) and after.get(name) == value != given.get(name)
    )
    if moved and kept:
        raise Malformed(
            f"{field}.{kept[0]} was stored for another {moved[0]}, and is not sent elsewhere.",
            hint=f"Say {kept[0]} again together with {moved[0]}.",
            param=f"{field}.{kept[0]}",
            code="secret_bound_to_address",
        )
