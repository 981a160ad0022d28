"""A key while it is in use: its record, the counters that its limits are checked against, and whom it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pointsman.core.identity import KeyRecord, Owner
from pointsman.core.price import dollars
from pointsman.policies.accounts import Account, merged
from pointsman.policies.bound import Bound
from pointsman.policies.gates import Gate, gate_of
from pointsman.policies.key_guard import KeyGuard, guard_of
from pointsman.policies.key_terms import KeyTerms, terms_of
from pointsman.policies.own_routing import OwnRouting
from pointsman.policies.stand_ins import BudgetedNames
from pointsman.stores.directory.ports import Changed, Meter
from pointsman.stores.directory.records import NO_LIMITS, Limits

__all__ = ["NO_TIES", "Principal", "Ties"]


class Ties(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a key belongs to, as far as that binds it.

    ``accounts`` are those that its calls are made for beside itself, ``no_budgets_of`` those among them whose budgets
    do not bind it. ``groups`` are those of groups of models that it was given by name, and bind its calls to these.
    ``tag_rates`` are those for what they may do under single tags.
    ``charges`` is what its calls are charged to beyond that (:attr:`pointsman.core.outcome.CallRecord.charges`).
    ``usual`` are the limits of the budget with a name that it has, ``gates`` the lists of models that it has to pass.
    ``routing`` are its team's settings of the router, ``user_email`` its user's address.
    ``shut`` says why none of its calls is let in; None: they are. ``has_general``: the operator's own
    limits may bind it, too. ``sources`` are the entries that all this was learned from, those included that were looked
    for and not there.
    """

    accounts: tuple[Account, ...] = ()
    no_budgets_of: tuple[Account, ...] = ()
    groups: Mapping[str, Account] = {}
    charges: tuple[str, ...] = ()
    tag_rates: Mapping[str, tuple[Account, ...]] = {}
    usual: Limits = NO_LIMITS
    gates: tuple[Gate, ...] | None = None
    aliases: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()
    organization_id: str | None = None
    priority: str | None = None
    routing: OwnRouting | None = None
    user_email: str | None = None
    shut: str | None = None
    has_general: bool = False
    sources: tuple[Changed, ...] = ()


NO_TIES = Ties()


class Principal(Account):
    """Who asks. There is no default one: it is made from a key that was found, or for the operator.

    ``organization_id`` is the organisation whose spending its calls add to, ``guard`` what limits its use beyond models
    and money, None for most; ``tags`` are the key's and its team's, ``aliases`` the names it has for models,
    ``tag_rates`` what it, its team, its user and its project may do under single tags.
    ``routing`` is what it, or else its team, has of the router's settings; None, as with most: nothing.
    ``is_special``: it has limits beyond those of a minute, of calls at once and one budget. ``is_plain``: it has none,
    belongs to nobody who has any, and brings no budget for customers, so that its calls are charged to nobody else.
    ``bounds`` keeps, by deployment, what its calls there are bound by; None: by the key alone.
    """

    __slots__ = (
        "access",
        "admin",
        "aliases",
        "bounds",
        "gates",
        "guard",
        "head",
        "is_plain",
        "is_special",
        "key_head",
        "organization_id",
        "own_tag_rates",
        "priority",
        "record",
        "routing",
        "shut",
        "tag_rates",
        "tags",
        "terms",
        "ties",
        "unrestricted",
    )

    def __init__(self, record: KeyRecord, *, admin: bool = False, share: int = 1) -> None:
        self.admin = admin
        self.record = record
        self.terms = KeyTerms()
        self.ties = NO_TIES
        self.tag_rates: dict[str, tuple[Account, ...]] = {}
        self.own_tag_rates: dict[str, Account] = {}
        super().__init__("key", record.token, share=share)
        self.spent = self.known = record.spend
        self.reset_at = record.budget_reset_at
        self.adopt(record)

    @property
    def owner(self) -> Owner:
        """The caller as the owner of what is stored for it."""
        return Owner(self.record.token, sees_all=self.admin, user_id=self.record.user_id)

    def adopt(self, record: KeyRecord) -> None:
        """Take a changed record; what is counted stays counted."""
        self.record = record
        self.guard: KeyGuard | None = guard_of(record)
        self.terms = terms_of(record)
        self.name = record.key_alias or record.key_name
        self.bind(self.ties)

    def bind(self, ties: Ties) -> None:
        """Belong to these from now on."""
        record, terms = self.record, self.terms
        self.ties = ties
        self.adopt_limits(merged(terms.limits, ties.usual))
        if ties.gates is None:
            own = gate_of("key", self.name, record.models, group_ids=terms.access_group_ids)
            self.gates: tuple[Gate, ...] = () if own is None else (own,)
        else:
            self.gates = ties.gates
        self.priority = ties.priority or terms.priority
        self.routing = terms.routing or ties.routing
        self.organization_id = terms.organization_id or ties.organization_id
        self.aliases = {**ties.aliases, **record.aliases} if ties.aliases else record.aliases
        if terms.fallbacks:
            self.aliases = BudgetedNames(self.aliases, terms.fallbacks, self.models)
        self.tags = (*record.tags, *(tag for tag in ties.tags if tag not in record.tags)) if ties.tags else record.tags
        self.own_tag_rates = {tag: self._tag_rate(tag, limit) for tag, limit in self.limits.tag_rpm_limit.items()}
        self.tag_rates = {tag: (rate,) for tag, rate in self.own_tag_rates.items()}
        for tag, rates in ties.tag_rates.items():
            self.tag_rates[tag] = (*self.tag_rates.get(tag, ()), *rates)
        self.shut = _shut(record, terms, ties)
        self.access: dict[tuple[str, str, frozenset[str]], bool] = {}
        self.unrestricted = not self.gates
        self.bounds: dict[str, Bound | None] = {}
        self.is_special = self._is_special()
        self.is_plain = not (
            ties.accounts
            or ties.has_general
            or self.is_special
            or self.tag_rates
            or ties.groups
            or ties.charges
            or terms.customer_budget_id is not None
        )
        self.key_head = _key_lines(self.limits)
        self.head = _limit_lines(self.key_head, self.limits)

    def share_among(self, processes: int) -> None:
        """See the base."""
        super().share_among(processes)
        for rate in self.own_tag_rates.values():
            rate.share_among(processes)
        # What binds a call is sorted by the parts.
        self.bounds.clear()

    def refresh_record(self, record: KeyRecord) -> None:
        """Take the stored record, and with it what other processes spent."""
        self.adopt(record)
        self.take_spent(record.spend, record.budget_reset_at)

    def _is_special(self) -> bool:
        limits = self.limits
        types = (limits.rpm_limit_type, limits.tpm_limit_type)
        return bool(self.windows or self.models or self.kinds or "dynamic" in types) or (
            self.tpd is not None or self.increase_until is not None
        )

    def _tag_rate(self, tag: str, limit: int) -> Account:
        """What the key may do under one tag."""
        account = self.own_tag_rates.get(tag) or Account("tag_per_key", tag, share=self.share)
        account.name = f"{self.name}:{tag}"
        account.adopt_limits(Limits(rpm_limit=limit))
        return account

    def parties(self) -> tuple[str | None, str | None, str | None]:
        """See the base."""
        return self.record.user_id, self.record.team_id, self.organization_id

    def meters(self) -> Iterable[Meter]:
        """See the base; the key's own spending is in its record."""
        return (meter for meter in super().meters() if meter.model or meter.window)


def _shut(record: KeyRecord, terms: KeyTerms, ties: Ties) -> str | None:
    if record.blocked:
        return "This key is blocked."
    if not terms.is_readable:
        return "The limits of this key cannot be read, so that it is taken for blocked."
    return ties.shut


def _key_lines(limits: Limits) -> str:
    """Header lines about the key's own limits, as LiteLLM has them."""
    lines = ""
    if limits.tpm_limit is not None:
        lines += f"x-litellm-key-tpm-limit: {limits.tpm_limit}\r\n"
    if limits.rpm_limit is not None:
        lines += f"x-litellm-key-rpm-limit: {limits.rpm_limit}\r\n"
    if limits.max_budget is not None:
        lines += f"x-litellm-key-max-budget: {dollars(limits.max_budget)}\r\n"
    return lines


def _limit_lines(lines: str, limits: Limits) -> bytes:
    """The same with OpenAI's and LiteLLM's scoped ones.

    They have two ``%d`` for what is left of its requests, two for its tokens and one for its calls at once.
    """
    for what, limit in (("requests", limits.rpm_limit), ("tokens", limits.tpm_limit)):
        if limit is not None:
            lines += f"x-ratelimit-limit-{what}: {limit}\r\nx-ratelimit-remaining-{what}: %d\r\n"
            lines += f"x-ratelimit-reset-{what}: 60s\r\n"
            lines += f"x-ratelimit-api_key-limit-{what}: {limit}\r\nx-ratelimit-api_key-remaining-{what}: %d\r\n"
    if (parallel := limits.max_parallel_requests) is not None:
        what = "max_parallel_requests"
        lines += f"x-ratelimit-api_key-limit-{what}: {parallel}\r\nx-ratelimit-api_key-remaining-{what}: %d\r\n"
    return lines.encode("ascii")
