"""The header lines of an upstream's answer that a client may see, under LiteLLM's names (``llm_provider-…``).

Source: LiteLLM 1.109.1, ``litellm_core_utils/llm_response_utils/get_headers.py``: every header gets the prefix; the
limits in OpenAI's names, and the id that the provider gave the request, stand there under their own names, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["with_upstream_lines"]

_LINES_MAX: Final = 64
_BYTES_MAX: Final = 8_192
_KEPT_BACK: Final = frozenset({
    b"openai-organization", b"openai-project", b"proxy-authenticate", b"set-cookie", b"set-cookie2",
    b"www-authenticate",
})  # fmt: skip
"""What would tell whose account it is, or open a door."""
_KEPT_BACK_PREFIXES: Final = (b"anthropic-organization-",)
_LIMITS: Final = frozenset({
    b"x-ratelimit-limit-requests", b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-requests",
    b"x-ratelimit-remaining-tokens",
})  # fmt: skip
_IDS: Final = (b"request-id", b"x-request-id")
_OWN_ID: Final = re.compile(rb"^request-id: [^\r]*\r\n", re.MULTILINE)


def with_upstream_lines(head: bytes, headers: Sequence[tuple[bytes, bytes]], secrets: Iterable[str]) -> bytes:
    """``head`` with lines for ``headers`` (names in lower case), as far as a client may see them.

    Limits that are the key's own stay those that are told; the upstream's id of the request stands where ours did.
    Nothing that holds one of the ``secrets`` is told.
    """
    hidden = [secret.encode() for secret in secrets]
    shown = [
        (name, value)
        for name, value in headers
        if name not in _KEPT_BACK
        and not name.startswith(_KEPT_BACK_PREFIXES)
        and not any(secret in value for secret in hidden)
    ][:_LINES_MAX]
    lines = [b"llm_provider-%b: %b\r\n" % field for field in dict(shown).items()]
    lines += [b"%b: %b\r\n" % field for field in shown if field[0] in _LIMITS and field[0] + b":" not in head]
    identity = [b"request-id: %b\r\n" % value for name, value in shown if name in _IDS][:1]
    if identity:
        head = _OWN_ID.sub(b"", head)
    told = b""
    for line in (*lines, *identity):
        if len(told) + len(line) <= _BYTES_MAX:
            told += line
    return head + told
