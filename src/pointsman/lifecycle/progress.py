"""What is known of a call while its story goes, and the record that is made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from pointsman.accounting.price import cost_of
from pointsman.core.errors import GatewayError
from pointsman.core.exchange import Inbound
from pointsman.core.flight import Flight
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord, Status
from pointsman.core.upstream import Answer, Ask, Deployment, Operation
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.lifecycle.continuing import Interruption
from pointsman.lifecycle.house import House
from pointsman.lifecycle.tally import Marks
from pointsman.lifecycle.trail import Trail
from pointsman.policies.admission import Grant
from pointsman.policies.principal import Principal
from pointsman.routing.pool import Member
from pointsman.routing.power import NO_ENERGY, Draw, Energy
from pointsman.routing.recovery import Recovery

__all__ = ["Progress"]

_AGENT_BYTES_MAX: Final = 256
_MESSAGE_CHARACTERS_MAX: Final = 500

# What stands in a record for what a call never got to.
_NOBODY: Final = KeyRecord(token="", key_name="")
_NOTHING: Final = Ask(Operation.CHAT, "", {})
_NOWHERE: Final = Deployment(
    id="", group="", provider="", model="", litellm_model="", api_base="", price=None, charges=False
)


class Progress(msgspec.Struct, weakref=False):
    """What is known of a call, gathered as its story goes.

    ``begun`` tells whether the client has been sent the head of its answer, ``spoken`` whether also something of the
    answer; ``sent_at``, ``heard_at`` and ``ended_at`` are monotonic seconds, 0 while it has not happened, of the last
    of ``attempts``. ``queued`` is for how many seconds it waited for its turn. ``recovery`` has those that came before
    it, ``trail`` why they went where they went, where there is anything to tell. ``preface`` is what of the stream was
    held back, since it says nothing yet; ``probing`` is who rested and is tried. ``usage`` is what was used where no
    ``answer`` tells it. ``cold`` is where the call waits for its model to be loaded. ``draw`` is the call's part in the
    work of a host of which it is known what it draws, and ``energy`` what the attempts that are over drew. ``marks``
    are what a rule about the model's traffic adds to the call. ``interruption`` is what came before, where another
    deployment goes on with a stream that was cut off. ``leave_slot`` gives back the slot at a local server that a
    second request took. ``heard_headers`` are those of the last attempt that failed.
    """

    house: House
    inbound: Inbound
    call_id: str
    principal: Principal | None = None
    ask: Ask | None = None
    deployment: Deployment | None = None
    grant: Grant | None = None
    answer: Answer | None = None
    flight: Flight | None = None
    error: GatewayError | None = None
    usage: Usage | None = None
    reply: msgspec.Raw | None = None
    status: Status = "success"
    begun: bool = False
    spoken: bool = False
    written: bool = False
    sent_at: float = 0.0
    heard_at: float = 0.0
    ended_at: float = 0.0
    attempts: int = 0
    recovery: Recovery | None = None
    trail: Trail | None = None
    probing: Member | None = None
    preface: bytes = b""
    cold: Member | None = None
    draw: Draw | None = None
    energy: Energy = NO_ENERGY
    queued: float = 0.0
    marks: Marks | None = None
    interruption: Interruption | None = None
    leave_slot: Callable[[], None] | None = None
    heard_headers: Sequence[tuple[bytes, bytes]] = ()

    @property
    def keep(self) -> Callable[[], Awaitable[None]] | None:
        """What stores the answer, if it is to be stored; see :class:`pointsman.core.upstream.Ask`."""
        return None if self.ask is None else self.ask.keep

    def record(self, now: float, http_status: int) -> CallRecord:
        """The record of the call as far as it is known; ``now`` is monotonic seconds."""
        inbound, answer, error = self.inbound, self.answer, self.error
        head, heard_at = inbound.head, self.heard_at
        route = head.route
        principal = self.principal
        key = _NOBODY if principal is None else principal.record
        ask = _NOTHING if self.ask is None else self.ask
        deployment = _NOWHERE if self.deployment is None else self.deployment
        usage = self.usage or (NO_USAGE if answer is None else answer.usage)
        skew = inbound.at - inbound.received
        # By position, which costs a tenth of what names do; test_settle goes through every field.
        record = CallRecord(
            self.call_id,
            route.operation._value_,  # `.value` goes through a descriptor, every time
            route.name,
            inbound.at,
            now + skew,
            heard_at + skew if heard_at else None,
            self.status,
            http_status,
            None if error is None else error.code,
            None if error is None else error.message[:_MESSAGE_CHARACTERS_MAX],
            key.token,
            key.key_alias,
            key.user_id,
            key.team_id,
            None if principal is None else principal.organization_id,
            ask.end_user,
            ask.model,
            deployment.group or ask.model,
            deployment.id,
            deployment.model,
            deployment.provider,
            deployment.api_base,
            usage,
            cost_of(usage, deployment.price) if deployment.charges and self.sent_at else 0,
            self.attempts,
            ask.stream,
            (self.stream_overhead(now) if ask.stream else self.overhead(now)) * 1000.0,
            self._tags(ask) if ask.routing is not None else () if principal is None else principal.tags,
            head.peer,
            None if answer is None else answer.answer_id,
        )
        if principal is not None and not principal.is_plain:
            bound = None if self.grant is None else self.grant.bound
            record.charges = principal.ties.charges + (() if bound is None else bound.groups)
        if self.trail is not None or self.queued:
            record.trace = (self.trail or Trail("only")).told(self.queued)
            record.queued_ms = self.queued * 1000.0
            if self.interruption is not None:
                self.interruption.count_in(record, skew)
        if self.marks is not None:
            record.tags = (*record.tags, *self.marks.tags)
            record.cost = 0 if self.marks.is_free else record.cost
        if self.house.manners.keeps:
            self._keep(record, ask, self.house.manners.keeps)
        return record

    def _keep(self, record: CallRecord, ask: Ask, keeps: frozenset[str]) -> None:
        """Put what the operator wants besides into the record."""
        if "prompts" in keeps:
            record.prompt = msgspec.Raw(msgspec.json.encode(ask.fields))
            record.reply = self.reply
        if "user_agent" in keeps:
            said = (self.inbound.head.header(b"user-agent") or b"")[:_AGENT_BYTES_MAX].decode("latin-1")
            record.user_agent = said if said.isprintable() else ""

    def _tags(self, ask: Ask) -> tuple[str, ...]:
        """The key's, the team's, and those of the request itself."""
        tags = () if self.principal is None else self.principal.tags
        if ask.routing is None or not ask.routing.tags:
            return tags
        return (*tags, *(tag for tag in dict.fromkeys(ask.routing.tags) if tag not in tags))

    def stop_drawing(self, now: float) -> None:
        """The host does not work for the call any more. ``now`` is monotonic seconds."""
        if self.draw is not None:
            drawn, before = self.draw.end(now), self.energy
            self.energy = Energy(before.mwh + drawn.mwh, before.cost + drawn.cost)
            self.draw = None

    def add_energy(self, record: CallRecord) -> None:
        """Put what the hosts drew for the call into its record."""
        record.energy_mwh, record.energy_cost = self.energy.mwh, self.energy.cost
        if self.house.manners.charges_energy:
            record.cost += self.energy.cost

    def overhead(self, now: float) -> float:
        """Seconds that the gateway itself took: all but waiting for a turn, and for the upstream."""
        began, sent_at = self.inbound.received + self.queued, self.sent_at
        return now - began - (self.heard_at or now) + sent_at if sent_at else now - began

    def stream_overhead(self, now: float) -> float:
        """The same of a stream: only those until the upstream was asked."""
        return (self.sent_at or now) - self.inbound.received - self.queued
