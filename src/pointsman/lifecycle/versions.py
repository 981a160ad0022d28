"""Headers by which clients name a version of an API, or features of it that are still in the making.

Sources: https://platform.claude.com/docs/en/api/beta-headers, https://platform.openai.com/docs/api-reference (``OpenAI-
Beta``). All are accepted; which of them reach an upstream is for its lane to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pointsman.core.errors import Malformed
from pointsman.core.exchange import RequestHead
from pointsman.lifecycle.routing_headers import routing_in
from pointsman.policies.request_terms import CUSTOMER_HEADERS, customer_in

__all__ = ["versions_in", "versions_of"]

_HEADERS: Final = frozenset({b"anthropic-beta", b"openai-beta"})

_CHARACTERS_MAX: Final = 1024
_NAMES: Final = re.compile(r"[A-Za-z0-9_.,:;= \t/-]*")


def versions_of(head: RequestHead) -> tuple[tuple[str, str], ...]:
    """Those of a head, looked for once, however many requests share it; and what it says of its way and its customer.

    Raises:
        Malformed: as :func:`versions_in` and :func:`pointsman.lifecycle.routing_headers.routing_in`.
    """
    if head.versions is None:
        head.routing = routing_in(head.headers)
        head.end_user = customer_in(head.headers, CUSTOMER_HEADERS)
        head.versions = versions_in(head.headers)
    return head.versions


def versions_in(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Those of a request's headers, names in lower case, several of one name joined by commas.

    Raises:
        Malformed: one holds something else than names.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if name in _HEADERS:
            text, shown = value.decode("latin-1").strip(), name.decode()
            if len(text) > _CHARACTERS_MAX or not _NAMES.fullmatch(text):
                raise Malformed(f"The header {shown} must be a list of names.", param=shown)
            found[shown] = f"{found[shown]},{text}" if shown in found else text
    return tuple((name, text) for name, text in found.items() if text)
