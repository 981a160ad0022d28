"""Which models a caller may use: what its key, its team, its user and all others it belongs to let through together."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Forbidden
from pointsman.policies.gates import Gate
from pointsman.policies.principal import Principal

__all__ = ["demand_access", "demand_passage", "may_use"]

_ANSWERS_MAX: Final = 1_000
_TOLD_MAX: Final = 10
_WHOSE: Final = {
    "key": ("This key", "key_model_access_denied"),
    "team": ("The team", "team_model_access_denied"),
    "member": ("The member of the team", "team_model_access_denied"),
    "user": ("The user", "user_model_access_denied"),
    "project": ("The project", "project_model_access_denied"),
    "organization": ("The organization", "org_model_access_denied"),
    "customer": ("The customer", "customer_model_access_denied"),
}


def may_use(principal: Principal, asked: str, group: str, access_groups: frozenset[str]) -> bool:
    """Whether the caller may use the model asked for as ``asked`` and served by ``group``."""
    if principal.unrestricted:
        return True
    # The whole question is the key: a reload may give a name another group, or a group other access groups.
    question = (asked, group, access_groups)
    known = principal.access.get(question)
    return _decide(principal, question) if known is None else known


def demand_access(principal: Principal, asked: str, group: str, access_groups: frozenset[str]) -> None:
    """Raise unless the caller may use the model.

    Raises:
        Forbidden: it may not (403, as LiteLLM 1.109.1).
    """
    if principal.access.get((asked, group, access_groups)) or may_use(principal, asked, group, access_groups):
        return
    for gate in principal.gates:
        demand_passage(gate, asked, group, access_groups)


def demand_passage(gate: Gate, asked: str, group: str, access_groups: frozenset[str]) -> None:
    """Raise unless one of those that the call is made for may use the model.

    Raises:
        Forbidden: it may not.
    """
    if gate.lets_through(asked, group, access_groups):
        return
    who, kind = _WHOSE[gate.whose]
    who = who if gate.whose == "key" else f"{who} {gate.name!r}"
    allowed = ", ".join(gate.models[:_TOLD_MAX])
    raise Forbidden(
        f"{who} may not use the model {asked!r}.",
        hint=f"It may use: {allowed}.",
        code="model_access_denied",
        kind=kind,
        param="model",
    )


def _decide(principal: Principal, question: tuple[str, str, frozenset[str]]) -> bool:
    """Answer, and keep the answer with the key."""
    answer = all(gate.lets_through(*question) for gate in principal.gates)
    if len(principal.access) >= _ANSWERS_MAX:
        principal.access.clear()
    principal.access[question] = answer
    return answer
