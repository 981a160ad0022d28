"""What few entries of ``model_list`` say, as typed data; the rest is in :mod:`pointsman.config.sections`.

Of ``model_info`` it is read from what is echoed, so that ``/model/info`` tells it as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from pointsman.config.value_types import Count, HeaderName, Name, PositiveCount, Seconds, TimeOfDay

__all__ = ["INFO_TERMS", "InfoTerms", "ParamTerms", "Window", "info_terms", "silent_models", "wrong_terms"]

_WallTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]


class ParamTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of ``litellm_params``."""

    itpm: Count | None = None
    otpm: Count | None = None
    rpd: Count | None = None
    tpd: Count | None = None
    daily_reset_time: TimeOfDay | None = None
    default_api_key_rpm_limit: Count | None = None
    default_api_key_tpm_limit: Count | None = None
    timeout_by_service_tier: Mapping[str, Seconds] = {}
    stream_timeout_by_service_tier: Mapping[str, Seconds] = {}
    provider_affinity_header: HeaderName | None = None
    silent_model: msgspec.Raw | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``model_info.access_windows[]``: hours in which the deployment is for those teams alone."""

    start: _WallTime
    end: _WallTime
    timezone: Name
    team_ids: Annotated[tuple[Name, ...], Meta(min_length=1)]


class InfoTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of ``model_info``."""

    access_windows: tuple[Window, ...] | None = None
    supported_environments: tuple[Literal["development", "staging", "production"], ...] | None = None
    enforce_supported_endpoints: bool | None = None
    supported_endpoints: tuple[str, ...] | str | None = None
    max_embedding_batch_size: PositiveCount | None = None
    discoverable: bool | None = None
    team_public_model_name: Name | None = None


INFO_TERMS: Final = frozenset(InfoTerms.__struct_fields__)

_FORMS: Final = {
    "access_windows": 'a list like [{start: "08:00", end: "18:00", timezone: Europe/Berlin, team_ids: [a-team]}]',
    "discoverable": "true or false",
    "enforce_supported_endpoints": "true or false",
    "max_embedding_batch_size": "a whole number above 0",
    "supported_endpoints": "a list of paths such as /v1/embeddings",
    "supported_environments": "a list of development, staging and production",
    "team_public_model_name": "a name",
}

_UNTOUCHABLE: Final = frozenset({
    "api-key", "authorization", "connection", "content-length", "content-type", "cookie", "host", "keep-alive",
    "proxy-authenticate", "proxy-authorization", "proxy-connection", "set-cookie", "te", "trailer",
    "transfer-encoding", "upgrade", "www-authenticate", "x-api-key", "x-goog-api-key",
})  # fmt: skip
"""Headers that no session can be told in."""

_decode_silent: Final = msgspec.json.Decoder(Name | tuple[Name, ...]).decode


def info_terms(extras: Mapping[str, msgspec.Raw]) -> InfoTerms:
    """What ``model_info`` says, which was found to be sound.

    Raises:
        msgspec.ValidationError: it was not.
    """
    said = {name: extras[name] for name in INFO_TERMS & extras.keys()}
    return msgspec.json.decode(msgspec.json.encode(said), type=InfoTerms) if said else InfoTerms()


def silent_models(raw: msgspec.Raw | None) -> tuple[str, ...]:
    """The models that get a copy.

    Raises:
        msgspec.ValidationError: it is neither a name nor a list of names.
    """
    if raw is None:
        return ()
    said = _decode_silent(raw)
    return (said,) if isinstance(said, str) else said


def wrong_terms(params: ParamTerms | None, extras: Mapping[str, msgspec.Raw]) -> Iterator[tuple[str, str, str]]:
    """What cannot be meant: the section, the key, and what is wrong with it."""
    header = None if params is None else params.provider_affinity_header
    if header is not None and header.lower() in _UNTOUCHABLE:
        yield "litellm_params", "provider_affinity_header", "is a header for something else, so it can tell no session."
    try:
        silent_models(None if params is None else params.silent_model)
    except msgspec.ValidationError:
        yield "litellm_params", "silent_model", "expected the name of a model, or a list of names."
    for name in sorted(INFO_TERMS & extras.keys()):
        try:
            terms = info_terms({name: extras[name]})
        except msgspec.ValidationError:
            yield "model_info", name, f"expected {_FORMS[name]}."
            continue
        for window in terms.access_windows or ():
            if window.start == window.end:
                yield "model_info", name, "start and end are the same."
            if not _is_zone(window.timezone):
                yield "model_info", name, f"this system knows no time zone {window.timezone[:64]!r}."


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
