"""What the routes of stored models and of credentials share: may anything be stored, and is it sound?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.admin.office import Office, Problem, StoredDesk
from pointsman.config.masking import is_secret_param, mask
from pointsman.config.stored import ADDRESSES
from pointsman.core.errors import Malformed, Unsupported

__all__ = ["demand_bound_credential", "demand_secrets_anew", "demand_stores", "refuse_problems", "without_masks"]

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


def demand_bound_credential(desk: StoredDesk, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Raise where a model would have a stored credential that says no address sent to an address of its own.

    Such a credential is for the provider's own address: else whoever may store a model could have its secrets sent to
    themselves. What is so already stays, so that all else of the model can be changed.

    Raises:
        Malformed: the credential has to say the address, too.
    """
    bound = ("litellm_credential_name", *ADDRESSES)
    said = sorted(name for name in ADDRESSES if after.get(name) is not None)
    if not said or all(before.get(name) == after.get(name) for name in bound):
        return
    name = after.get("litellm_credential_name")
    values = next((one.values for one in desk.stored.credentials if one.name == name), {})
    secrets = [field for field, value in values.items() if is_secret_param(field, value)]
    if secrets and all(values.get(address) is None for address in ADDRESSES):
        raise Malformed(
            f"The credential {name!r} says no {said[0]}, so it is sent to no other address than the provider's own.",
            hint=f"Give it that {said[0]}, with its secrets again (PATCH /credentials/NAME), or the model a key.",
            param=f"litellm_params.{said[0]}",
            code="secret_bound_to_address",
        )


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
