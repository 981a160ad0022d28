"""What the operator wants every request to say: for which customer it is, and whatever else must be in it.

The order in which LiteLLM 1.109.1 looks for the customer, ``get_end_user_id_from_request_body``: two headers that are
always read, those that the configuration names, then the body. A signed token that names one wins over all of them,
for whoever sends a request may write into it what they like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.exchange import Inbound
from pointsman.core.identity import KeyRecord
from pointsman.core.upstream import Ask
from pointsman.policies.labels import end_user_in, labels_in
from pointsman.policies.principal import Principal

__all__ = ["CUSTOMER_HEADERS", "RequestTerms", "apply_terms", "customer_in", "meet_terms", "name_customer"]

CUSTOMER_HEADERS: Final = (b"x-litellm-customer-id", b"x-litellm-end-user-id")
"""Always read, the first of them first."""

_SERVICE: Final = b'"service_account_id"'
_LABELLED: Final = ("metadata", "litellm_metadata")

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class RequestTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``general_settings``. ``customer_headers`` are lower case and read in this order.

    ``needed`` are fields that every body must have, ``needed_of_services`` those that service accounts have to send
    besides; a name with a dot (``metadata.generation_name``) is a field of a field.
    """

    customer_headers: tuple[bytes, ...] = ()
    needed: tuple[str, ...] = ()
    needed_of_services: tuple[str, ...] = ()
    needs_customer: bool = False
    refuses_tags: bool = False


def customer_in(headers: Iterable[tuple[bytes, bytes]], names: Iterable[bytes]) -> str | None:
    """The customer that the first of these headers names; names are lower case."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found.setdefault(name, value)
    for name in names:
        said = found.get(name, b"").strip()
        if said:
            return said.decode("utf-8", "replace")
    return None


def apply_terms(inbound: Inbound, ask: Ask, principal: Principal, terms: RequestTerms | None) -> None:
    """Let the request pass whose key and body are as they are to be, and find out for whom it is.

    Raises:
        Forbidden: the key may not be used so.
        Malformed: see :func:`meet_terms`.
    """
    if principal.guard is not None:
        principal.guard.meet(inbound.head)
    name_customer(inbound, ask, principal, terms)
    meet_terms(ask, principal, terms)


def name_customer(inbound: Inbound, ask: Ask, principal: Principal, terms: RequestTerms | None) -> None:
    """Have the call made for whom the key or a header names, at further attempts, too; else the body decides."""
    whom = None if principal.guard is None else principal.guard.end_user_id
    if whom is None:
        names = CUSTOMER_HEADERS if terms is None else CUSTOMER_HEADERS + terms.customer_headers
        whom = customer_in(inbound.head.headers, names)
    if whom is not None:
        inbound.end_user = ask.end_user = whom


def meet_terms(ask: Ask, principal: Principal, terms: RequestTerms | None) -> None:
    """Raise unless the body has what the operator and the key want in it.

    Raises:
        Malformed: something is missing, or tags are not to be there.
    """
    guard = principal.guard
    if guard is not None:
        _demand(guard.enforced_params, ask.fields)
    if terms is None:
        return
    _demand(terms.needed, ask.fields)
    if terms.needed_of_services and _is_service(principal.record):
        _demand(terms.needed_of_services, ask.fields)
    if terms.needs_customer and ask.end_user is None and end_user_in(ask.fields) is None:
        raise Malformed(
            "'user' param not passed in. 'enforce_user_param'=True",
            hint="Name the end user as user, or with the header x-litellm-end-user-id.",
            param="user",
        )
    if terms.refuses_tags and any(name in ask.fields and labels_in(ask.fields[name]).tags for name in _LABELLED):
        raise Malformed(
            "Client-side 'metadata.tags' not allowed in request. 'reject_clientside_metadata_tags'=True.",
            hint="Tags of keys and teams count all the same.",
            param="metadata.tags",
        )


def _demand(names: Iterable[str], fields: Mapping[str, msgspec.Raw]) -> None:
    for name in names:
        outer, _, inner = name.partition(".")
        if outer not in fields:
            raise _missing(outer, outer)
        if inner and inner not in _inside(fields[outer]):
            raise _missing(f"[{outer}][{inner}]", name)


def _inside(raw: msgspec.Raw) -> Mapping[str, msgspec.Raw]:
    try:
        return _map(raw)
    except msgspec.DecodeError:
        return {}


def _missing(shown: str, param: str) -> Malformed:
    return Malformed(
        f"BadRequest please pass param={shown} in request body. This is a required param",
        hint="The operator, or whoever made the key, wants it in every request.",
        param=param,
    )


def _is_service(record: KeyRecord) -> bool:
    return _SERVICE in bytes(record.metadata) and "service_account_id" in _inside(record.metadata)
