"""What an upstream's error answer means, as far as its HTTP status tells, and what of its words may be repeated."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import Broken, Overloaded, Rejected, UpstreamFailed

__all__ = ["POLICY_CODE", "fit_to_repeat", "said_text", "status_in", "upstream_failure"]

_decode_text: Final = msgspec.json.Decoder(str).decode
_decode_number: Final = msgspec.json.Decoder(int, strict=False).decode

POLICY_CODE: Final = "content_policy_violation"
"""The code of an error about content that is not let through, where the upstream has none of its own."""

_MESSAGE_CHARACTERS_MAX: Final = 500
_LOOKED_AT_CHARACTERS_MAX: Final = 5_000

_UNSEEN: Final = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[^>]{0,2000}>", re.DOTALL | re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^>]{0,200}>(.{0,500}?)</title", re.DOTALL | re.IGNORECASE)
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_SECRETS: Final = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|nvapi|hf)[-_][A-Za-z0-9*._-]{6,}|\bAIza[A-Za-z0-9_-]{20,}|\bA[KS]IA[A-Z0-9]{12,}"
    r"|\bya29\.[A-Za-z0-9_-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]+"
    r"|\b(?:bearer|basic)\s+(?=(?-i:\S*[A-Z0-9*]))[A-Za-z0-9._~+/=*-]{8,}"
    r"|\b(?-i:IQoJ|FwoG|FQoG)[A-Za-z0-9+/=]{40,}"
    r"|(?<=//)[^/\s@]{1,200}@"
    r"|(?<=[?&]key=)[^&\s]+|(?<=api_key=)[^&\s]+",
    re.IGNORECASE,
)

_KINDS: Final = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_ERROR_MIN: Final = 400
_ERROR_MAX: Final = 599
_OVERLOADED: Final = frozenset({429, 503, 529})

_POLICY_WORDS: Final = (
    "blocked by content filtering policy",  # Anthropic
    "content management policy",  # Azure
    "flagged as potentially violating",  # OpenAI's reasoning models
    "rejected as a result of our safety system",  # OpenAI's images
    "rejected by the safety system",
    "responsibleaipolicyviolation",  # Azure
    "violates our usage policies",
    "content exists risk",  # DeepSeek
    "data_inspection_failed",  # Alibaba
    "inappropriate content",
)
"""How providers say that the content of a request or an answer is what they do not let through."""


def fit_to_repeat(text: str) -> str:
    """One short line without markup, control characters, or anything that looks like a credential."""
    text = text[:_LOOKED_AT_CHARACTERS_MAX]
    if "<" in text and ">" in text:
        title = _TITLE.search(text)
        text = title[1] if title else _UNSEEN.sub(" ", text)
    text = _SPACE.sub(" ", _SECRETS.sub("[hidden]", text)).strip()
    return text if len(text) <= _MESSAGE_CHARACTERS_MAX else text[:_MESSAGE_CHARACTERS_MAX] + "…"


def said_text(raw: msgspec.Raw | msgspec.UnsetType) -> str:
    """A field that should be a string; the empty one where it is missing or anything else."""
    if not isinstance(raw, msgspec.Raw):
        return ""
    try:
        return _decode_text(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def status_in(code: msgspec.Raw | msgspec.UnsetType) -> int:
    """The HTTP status that the ``code`` of an error in a stream is, as a number or as text; 502 where it is none."""
    try:
        status = _decode_number(code) if isinstance(code, msgspec.Raw) else Broken.default_status
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Broken.default_status
    return status if _ERROR_MIN <= status <= _ERROR_MAX else Broken.default_status


def upstream_failure(
    status: int, message: str, *, code: str | None = None, param: str | None = None, hint: str | None = None
) -> UpstreamFailed:
    """The error for an upstream's status: 4xx keep theirs, a bare 500 becomes 502 since it is not ours.

    Args:
        status: The upstream's HTTP status. Anything below 400 is no answer to be had here, so broken.
        message: What happened, already fit to repeat.
        code: The machine-readable reason, or None for the class's own.
        param: The request field at fault.
        hint: What the reader can do about it.
    """
    if hint is not None and not message.endswith((".", "!", "?")):
        message += "."
    if status in _OVERLOADED:
        overloaded = 429 if status == 429 else 503
        kind = "rate_limit_error" if overloaded == 429 else "api_error"
        return Overloaded(message, hint=hint, param=param, status=overloaded, code=code, kind=kind)
    if status == 400 and _is_about_content(message, code or ""):
        code = POLICY_CODE
    if 400 <= status < 500:
        return Rejected(message, hint=hint, param=param, status=status, code=code, kind=_KINDS.get(status))
    gateway_status = status if 500 < status < 600 else None
    return Broken(message, hint=hint, param=param, status=gateway_status, code=code)


def _is_about_content(message: str, code: str) -> bool:
    """Whether the content is not let through, and the code does not say so already."""
    if "content" in code or "moderation" in code:
        return False
    said = f"{message} {code}".lower()
    return any(words in said for words in _POLICY_WORDS)
