"""Stored models and credentials of LiteLLM: opened with its key, and sealed with ours."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pointsman.cli.migrate.entries import raw
from pointsman.cli.migrate.rows import Row
from pointsman.core.secret import Secret
from pointsman.stores.directory.records import StoredCredential, StoredModel
from pointsman.stores.directory.sealing import seal_credential, seal_params
from pointsman.stores.encryption import Sealer, open_litellm_value

__all__ = ["Opened", "credential_of", "model_of", "opened"]

_SEALED_BYTES_MIN: Final = 40
"""Of a secretbox: a nonce of 24 bytes and a tag of 16."""
_MARKS: Final = ("v2:gcm:", "v3:gcm:")
_OURS: Final = frozenset({"db_model", "id"})


class Opened(NamedTuple):
    """Fields in plain text, and the names of those that no key opened."""

    fields: dict[str, object]
    closed: tuple[str, ...]


def opened(fields: Mapping[str, object], salts: Sequence[Secret]) -> Opened:
    """The fields as they were before LiteLLM encrypted its texts one by one; what never was stays as it is."""
    found: dict[str, object] = {}
    closed: list[str] = []
    for name, value in fields.items():
        if not isinstance(value, str):
            found[name] = value
            continue
        plain = next((one for salt in salts if (one := open_litellm_value(value, salt)) is not None), None)
        if plain is not None:
            found[name] = plain.reveal()
        elif _looks_sealed(value):
            closed.append(name)
        else:
            found[name] = value
    return Opened(found, tuple(closed))


def model_of(row: Row, told: Opened, sealer: Sealer) -> StoredModel:
    """A model that was added at run time."""
    info = {name: value for name, value in row.fields("model_info").items() if name not in _OURS}
    team_id = info.pop("team_id", None)
    created_at = row.moment("created_at") or 0.0
    return StoredModel(
        model_id=row.named("model_id"),
        name=row.named("model_name"),
        params=seal_params(sealer, row.named("model_id"), told.fields),
        info=raw(info),
        team_id=team_id if isinstance(team_id, str) else None,
        blocked=row.flag("blocked"),
        created_at=created_at,
        updated_at=row.moment("updated_at") or created_at,
        created_by=row.text("created_by"),
        updated_by=row.text("updated_by"),
    )


def credential_of(row: Row, told: Opened, sealer: Sealer) -> StoredCredential:
    """A credential."""
    name = row.named("credential_name")
    created_at = row.moment("created_at") or 0.0
    display = row.text("display_name")
    return StoredCredential(
        name=name,
        values=seal_credential(sealer, name, told.fields),
        info=raw(row.fields("credential_info")),
        extra=raw({"display_name": display} if display else {}),
        created_at=created_at,
        updated_at=row.moment("updated_at") or created_at,
        created_by=row.text("created_by"),
        updated_by=row.text("updated_by"),
    )


def _looks_sealed(text: str) -> bool:
    if text.startswith(_MARKS):
        return True
    try:
        return len(urlsafe_b64decode(text.encode("ascii"))) > _SEALED_BYTES_MIN and len(text) % 4 == 0
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return False
