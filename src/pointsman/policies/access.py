"""Which models a key may use: by name, by wildcard or by access group; an empty list means all."""

from __future__ import annotations

from typing import Final

from pointsman.config.patterns import match
from pointsman.core.errors import Forbidden
from pointsman.policies.principal import Principal

__all__ = ["demand_access", "may_use"]

_ANSWERS_MAX: Final = 1_000


def may_use(principal: Principal, asked: str, group: str, access_groups: frozenset[str]) -> bool:
    """Whether the key may use the model asked for as ``asked`` and served by ``group``."""
    if principal.unrestricted:
        return True
    # The whole question is the key: a reload may give a name another group, or a group other access groups.
    question = (asked, group, access_groups)
    known = principal.access.get(question)
    return _decide(principal, question) if known is None else known


def demand_access(principal: Principal, asked: str, group: str, access_groups: frozenset[str]) -> None:
    """Raise unless the key may use the model.

    Raises:
        Forbidden: it may not (403, as LiteLLM 1.109.1).
    """
    if principal.access.get((asked, group, access_groups)) or may_use(principal, asked, group, access_groups):
        return
    allowed = ", ".join(principal.record.models[:10])
    raise Forbidden(
        f"This key may not use the model {asked!r}.",
        hint=f"It may use: {allowed}.",
        code="model_access_denied",
        kind="key_model_access_denied",
        param="model",
    )


def _decide(principal: Principal, question: tuple[str, str, frozenset[str]]) -> bool:
    """Answer, and keep the answer with the key."""
    asked, group, access_groups = question
    models = principal.record.models
    answer = asked in models or group in models or not access_groups.isdisjoint(models)
    answer = answer or any(
        match(pattern, name) is not None for pattern in principal.wildcards for name in (asked, group)
    )
    if len(principal.access) >= _ANSWERS_MAX:
        principal.access.clear()
    principal.access[question] = answer
    return answer
