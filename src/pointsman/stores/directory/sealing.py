"""The secret fields of stored models and credentials: encrypted one by one, each for its place.

A field is either JSON as it is, or a text that begins with the mark of a sealed value, in which its JSON is. So that no
value can pretend to be sealed, one that begins like that is sealed itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.config.masking import is_secret_param
from pointsman.core.secret import Secret
from pointsman.stores.directory.kinds import CREDENTIALS, MODELS
from pointsman.stores.directory.records import StoredCredential, StoredModel
from pointsman.stores.encryption import Place, Sealer, is_sealed

__all__ = [
    "open_credential",
    "open_params",
    "resealed_credential",
    "resealed_model",
    "seal_credential",
    "seal_params",
]

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode


def seal_params(sealer: Sealer, model_id: str, params: Mapping[str, object]) -> msgspec.Raw:
    """``litellm_params`` as they are stored.

    Raises:
        Misconfigured: the keys cannot be read.
    """
    sealed = {
        name: _sealed(sealer, Place(MODELS.name, model_id, name), value) if _is_secret(name, value) else value
        for name, value in params.items()
    }
    return msgspec.Raw(msgspec.json.encode(sealed))


def open_params(sealer: Sealer, record: StoredModel) -> dict[str, object]:
    """``litellm_params`` in plain text.

    Raises:
        WrongSecretKey: a field was encrypted with a key that is not here.
    """
    return _opened(sealer, MODELS.name, record.model_id, record.params)


def seal_credential(sealer: Sealer, name: str, values: Mapping[str, object]) -> msgspec.Raw:
    """The values of a credential as they are stored: every one is encrypted.

    Raises:
        Misconfigured: the keys cannot be read.
    """
    sealed = {field: _sealed(sealer, Place(CREDENTIALS.name, name, field), value) for field, value in values.items()}
    return msgspec.Raw(msgspec.json.encode(sealed))


def open_credential(sealer: Sealer, record: StoredCredential) -> dict[str, object]:
    """The values of a credential in plain text.

    Raises:
        WrongSecretKey: a value was encrypted with a key that is not here.
    """
    return _opened(sealer, CREDENTIALS.name, record.name, record.values)


def resealed_model(sealer: Sealer, record: StoredModel) -> StoredModel:
    """The model with every field encrypted with the first key; the very same where that is so already.

    Raises:
        WrongSecretKey: a field was encrypted with a key that is not here.
    """
    fields = _resealed(sealer, MODELS.name, record.model_id, record.params)
    return record if fields is None else msgspec.structs.replace(record, params=fields)


def resealed_credential(sealer: Sealer, record: StoredCredential) -> StoredCredential:
    """As :func:`resealed_model`, for a credential."""
    fields = _resealed(sealer, CREDENTIALS.name, record.name, record.values)
    return record if fields is None else msgspec.structs.replace(record, values=fields)


def _resealed(sealer: Sealer, kind: str, identity: str, raw: msgspec.Raw) -> msgspec.Raw | None:
    fields = _decode(raw)
    stale = [name for name, value in fields.items() if _holds_sealed(value) and not sealer.is_current(str(value))]
    if not stale:
        return None
    for name in stale:
        place = Place(kind, identity, name)
        fields[name] = sealer.seal(place, sealer.open(place, str(fields[name])))
    return msgspec.Raw(msgspec.json.encode(fields))


def _opened(sealer: Sealer, kind: str, identity: str, raw: msgspec.Raw) -> dict[str, object]:
    fields = _decode(raw)
    for name, value in fields.items():
        if _holds_sealed(value):
            opened = sealer.open(Place(kind, identity, name), str(value))
            fields[name] = msgspec.json.decode(opened.reveal())
    return fields


def _sealed(sealer: Sealer, place: Place, value: object) -> str:
    return sealer.seal(place, Secret(msgspec.json.encode(value).decode()))


def _holds_sealed(value: object) -> bool:
    return isinstance(value, str) and is_sealed(value)


def _is_secret(name: str, value: object) -> bool:
    return _holds_sealed(value) or is_secret_param(name, value)
