"""The end of a call: meter, price, ledger, release. Exactly once, whatever happened."""

from __future__ import annotations

import logging
from copy import copy
from typing import Final, NoReturn

import msgspec

from pointsman.core.address import without_address
from pointsman.core.errors import GatewayError, Malformed, Overloaded
from pointsman.core.exchange import Client, ClientGone
from pointsman.core.flight import Flight
from pointsman.core.outcome import CallRecord
from pointsman.core.upstream import UPSTREAM_TYPE, Answer, AnsweredHere, Deployment
from pointsman.lifecycle.continuing import interruption_of, send_rest
from pointsman.lifecycle.heads import queue_line, recovered, rerouted, unasked
from pointsman.lifecycle.limit_heads import bound_lines, refusal_lines
from pointsman.lifecycle.loads import expect
from pointsman.lifecycle.progress import Progress
from pointsman.lifecycle.tally import Marks
from pointsman.lifecycle.upstream_heads import with_upstream_lines
from pointsman.lifecycle.ways import Way
from pointsman.policies.bound import Bound
from pointsman.policies.principal import Principal
from pointsman.routing.hosts import Host
from pointsman.routing.pool import Member, Pool
from pointsman.routing.power import NO_ENERGY
from pointsman.routing.recovery import Recovery

__all__ = ["Settlement"]

_log: Final = logging.getLogger("pointsman.serve")

_OVERLOADED_STATUS: Final = 503
_CLIENT_CLOSED_STATUS: Final = 499
_JSON: Final = b"application/json"
_LOGGED_BYTES_MAX: Final = 1024 * 1024
"""A longer reply (pictures, as a rule) is not kept with the prompts."""


class Settlement(Progress, weakref=False):
    """Follows a call as its story goes, and settles it."""

    def heard(self) -> None:
        """The upstream has answered; only the first time counts."""
        if not self.heard_at:
            self.heard_at = self.house.clock.monotonic()
            if self.cold is not None:
                self._warm()

    def arrive(self, member: Member, host: Host, flight: Flight) -> None:
        """The request has been sent to a local host."""
        if host.power is not None:
            self.draw = host.power.begin(self.sent_at)
        if expect(member, host, flight):
            self.cold = member

    def depart(self, host: Host, model: str) -> None:
        """A local host has no more to do for this attempt."""
        host.used[model] = now = self.house.clock.monotonic()
        if self.draw is not None:
            self.stop_drawing(now)
        if self.cold is not None:
            self._warm()
        if self.leave_slot is not None:
            leave, self.leave_slot = self.leave_slot, None
            leave()

    def leave_load(self, cold: Member, flight: Flight) -> None:
        """The client has left while its model is being loaded, which may go on."""
        if self.house.loads.adopt(flight, cold):
            self.flight = None

    def _warm(self) -> None:
        if self.cold is not None and self.cold.host is not None:
            self.cold.host.end_load(self.cold.deployment.model)
        self.cold = None

    def mark(self, tag: str, line: bytes = b"") -> Marks:
        """Add to the marks."""
        if self.marks is None:
            self.marks = Marks()
        self.marks.add(tag, line)
        return self.marks

    def leave(self, way: Way) -> Pool:
        """Its first deployment failed; gives who may stand in."""
        if self.marks is not None:
            self.marks.is_rescued = True
        return way.base

    def speaks(self, block: bytes) -> bytes:
        """The first of an answer is there, so that nobody else can give it any more. Gives it with what came before."""
        self.spoken = True
        if self.probing is not None:
            self.probing.answered(self.sent_at)
        preface, self.preface = self.preface, b""
        return preface + block if preface else block

    def let_go(self, client: Client) -> None:
        """An attempt failed: cut it off."""
        client.attach(None)
        if self.flight is not None:
            self.heard_headers = self.flight.headers if self.house.manners.tells_upstream_headers else ()
            self.flight.close()
            self.flight = None

    def start_over(self, recovery: Recovery) -> None:
        """Another attempt begins."""
        self.recovery = recovery
        self.heard_at = 0.0
        self.preface = b""
        self.probing = None

    def interrupted(self, error: GatewayError, answer: Answer, client: Client) -> bool:
        """A stream was cut off; True: another deployment may go on with it, which it may once."""
        send_rest(answer, client)
        if self.interruption is not None or self.ask is None:
            return False
        self.interruption = interruption_of(error, self.ask, answer, self._deployment(), self.heard_at)
        self.spoken = self.interruption is None
        return not self.spoken

    def give_up(self, failed: GatewayError) -> GatewayError:
        """Nobody is left who could be asked; gives what is to be told, which is how a stream ended that had begun."""
        interruption = self.interruption
        if interruption is None or self.spoken:
            return failed
        self.ask, self.answer, self.deployment = interruption.ask, interruption.answer, interruption.deployment
        self.heard_at, self.preface, self.interruption = interruption.heard_at, b"", None
        self.spoken = True
        return interruption.error

    def succeeded(self, body: bytes) -> bytes:
        """A whole answer is there: settle, and give its headers."""
        answer, grant, house = self.answer, self.grant, self.house
        content_type, manners = _JSON, house.manners
        if answer is not None:
            if answer.content_type:
                content_type = self._content_type() or _JSON
            if answer.error is not None:
                self._blame(answer.error)
        if manners.keeps and "prompts" in manners.keeps and content_type.startswith(_JSON):
            self.reply = msgspec.Raw(body) if len(body) <= _LOGGED_BYTES_MAX else None
        record = self._write(200)
        limits = None if grant is None or grant.bound is None else self._limit_lines(grant.bound)
        deployment, principal = self.deployment or _missing("deployment"), self.principal or _missing("caller")
        milliseconds = (self.ended_at - self.inbound.received) * 1000.0
        head = house.heads.whole(record, deployment, principal, milliseconds, content_type, limits)
        if manners.tells_upstream_headers:
            head = self._with_upstream(head)
        if self.queued:
            head += queue_line(self.queued)
        return head if self.trail is None and self.marks is None else self._marked(head)

    def answered_here(self, body: bytes, client: Client) -> None:
        """No upstream had to be asked."""
        client.reply(200, self.succeeded(body), body)

    def begin(self, client: Client) -> None:
        """Send the head of a stream, unless that is done."""
        if not self.begun:
            self.begun = True
            content_type = self._content_type() or self.inbound.head.route.dialect.stream_type
            heads = self.house.heads
            limits = None if self.grant is None or self.grant.bound is None else self._limit_lines(self.grant.bound)
            now, deployment = self.house.clock.monotonic(), self._deployment()
            spans = (now - self.inbound.received) * 1000.0, self.stream_overhead(now) * 1000.0
            head = heads.stream(self.call_id, content_type, deployment, self._principal(), limits, milliseconds=spans)
            if self.house.manners.tells_upstream_headers:
                head = self._with_upstream(head)
            if self.queued:
                head += queue_line(self.queued)
            client.begin(200, head if self.trail is None and self.marks is None else self._marked(head))

    @property
    def keepalive(self) -> bytes:
        """What a client that streams can be sent while it waits; empty: nothing."""
        return self.inbound.head.route.dialect.keepalive if self.ask is not None and self.ask.stream else b""

    def keep_waiting(self, client: Client) -> None:
        """Let a client that streams know that it is not forgotten."""
        keepalive = self.keepalive
        if keepalive:
            self.begin(client)
            client.send(keepalive)

    def stream_ended(self) -> None:
        """A stream is complete, or the upstream told of its failure inside it."""
        answer = self.answer
        if answer is not None and answer.error is not None:
            self._blame(answer.error)
        self._write(200 if self.error is None else self.error.status)

    def broke_off(self, error: GatewayError) -> None:
        """A stream that had begun failed."""
        self._blame(error)
        self._cut()
        self._write(error.status)

    def refused(self, error: GatewayError) -> None:
        """The upstream said no, in words that the client is given as they are."""
        self._blame(error)
        self._write(error.status)

    def passed_head(self, lines: bytes) -> bytes:
        """The headers of an answer that is passed on as it came; ``lines`` are the upstream's own."""
        limits = None if self.grant is None or self.grant.bound is None else self._limit_lines(self.grant.bound)
        return lines + self.house.heads.passed(self.call_id, self._deployment(), self._principal(), limits)

    def _limit_lines(self, bound: Bound) -> bytes:
        return bound_lines(self._principal(), bound, int(self.house.clock.monotonic()))

    def cancelled(self) -> None:
        """The client went away."""
        self.status = "cancelled"
        if self.flight is not None:
            self._cut()
        self._write(_CLIENT_CLOSED_STATUS)

    def failed(self, error: GatewayError, client: Client) -> None:
        """Answer with an error; if the answer has begun, end it as broken."""
        if isinstance(error, Malformed) and error.code == "model_not_found":
            error.status = self.inbound.head.route.dialect.unknown_model_status
        self._blame(error)
        if self.begun:
            self._cut()
        self._write(error.status)
        if self.begun:
            last = b"" if self.answer is None else self.preface + self.answer.failed(self.for_client(error))
            self.end_broken(client, last)
            return
        error = self.for_client(error)
        dialect = self.inbound.head.route.dialect
        body = dialect.write_error(error, self.call_id)
        head = self.house.heads.error(self.call_id, error.retry_after, self.deployment, self.principal)
        head += refusal_lines(error, self.house.clock.wall())
        if self.house.manners.tells_upstream_headers:
            head = self._with_upstream(head)
        overloaded = isinstance(error, Overloaded) and error.status == _OVERLOADED_STATUS
        client.reply(dialect.overloaded_status if overloaded else error.status, self._marked(head), body)

    def ended_by(self, outcome: Exception, client: Client) -> None:
        """The story ended before its end: without an upstream, without the client, with an error, or by a mistake."""
        if isinstance(outcome, AnsweredHere):
            self.answered_here(outcome.body, client)
        elif isinstance(outcome, ClientGone):
            self.cancelled()
        elif isinstance(outcome, GatewayError):
            self.failed(outcome, client)
        else:
            _log.error("call %s broke", self.call_id, exc_info=outcome)
            self.failed(GatewayError("The gateway made a mistake; it has been logged."), client)

    def end_broken(self, client: Client, last: bytes) -> None:
        """End an answer that has begun and failed: with its ``last`` words, or by cutting it off if it has none."""
        if last:
            client.end(last)
        else:
            client.abort()

    def for_client(self, error: GatewayError) -> GatewayError:
        """The error as the client may know it: where the upstream is, only the operator learns."""
        deployment, principal = self.deployment, self.principal
        if deployment is None or (principal is not None and principal.admin):
            return error
        told = copy(error)  # several calls may have failed of this one
        told.message = without_address(error.message, deployment.api_base, deployment.group)
        told.hint = error.hint and without_address(error.hint, deployment.api_base, deployment.group)
        return told

    def cleanse(self, error: GatewayError) -> None:
        """Take what the upstream was asked with (keys, tokens, the operator's headers) out of its error."""
        for secret in self._secrets():
            error.message = error.message.replace(secret, "…")
            error.code = error.code.replace(secret, "…")
            error.param = error.param and error.param.replace(secret, "…")

    def _secrets(self) -> tuple[str, ...]:
        """What nobody is told should an upstream repeat it."""
        return () if self.deployment is None else (*self.deployment.secrets, *self.house.issued())

    def close(self, client: Client) -> None:
        """Let go of the upstream, cutting it off where its answer is not complete."""
        if not self.written:
            self.cancelled()
        client.attach(None)
        if self.flight is not None:
            self.flight.close()
        if self.error is not None:
            self._forget_errors(self.error)
        self.house.outbox.gathered()

    def _forget_errors(self, error: GatewayError) -> None:
        """Let go of where they were raised: in a circle all of the call would wait for the garbage collector."""
        failures = () if self.recovery is None else [failure for _, failure in self.recovery.errors]
        for one in (error, *failures):
            one.__traceback__ = one.__context__ = one.__cause__ = None

    def _marked(self, head: bytes) -> bytes:
        """A head that tells what was special about the call. Whatever recovers has a trail."""
        if self.trail is not None:
            head = rerouted(head, self.deployment, self.trail, self.attempts)
        if self.recovery is not None:
            head = recovered(head, self.recovery, self.attempts)
        if not self.attempts:
            head = unasked(head)
        return head if self.marks is None else head + self.marks.lines

    def _with_upstream(self, head: bytes) -> bytes:
        """A head that tells what the upstream's own said."""
        headers = self.heard_headers if self.flight is None else self.flight.headers
        return with_upstream_lines(head, headers, self._secrets()) if headers else head

    def _write(self, http_status: int) -> CallRecord:
        """Write the record, release what was reserved, tell the listeners. Gives the record."""
        house = self.house
        self.ended_at = now = house.clock.monotonic()
        record = self.record(now, http_status)
        if self.draw is not None:
            self.stop_drawing(now)
        if self.energy is not NO_ENERGY:
            self.add_energy(record)
        if not self.written:
            self.written = True
            try:
                if self.principal is not None:
                    house.outbox.keep(record)
            finally:
                if self.grant is not None:
                    self.grant.settle(record.cost, record.usage, int(now))
                if self.marks is not None:
                    self.marks.ended(record)
                for listener in house.listeners if self.status == "success" else house.failure_listeners:
                    listener.call_ended(record)
        return record

    def _content_type(self) -> bytes:
        """That of the answer; empty: the dialect's own."""
        answer, flight = self.answer, self.flight
        given = b"" if answer is None else answer.content_type
        if given != UPSTREAM_TYPE:
            return given
        fields = () if flight is None else flight.headers
        return next((value for name, value in fields if name == b"content-type"), b"")

    def _cut(self) -> None:
        if self.answer is not None:
            self.answer.cut()

    def _blame(self, error: GatewayError) -> None:
        self.cleanse(error)
        self.error = error
        self.status = "failure"

    def _deployment(self) -> Deployment:
        return self.deployment or _missing("deployment")

    def _principal(self) -> Principal:
        return self.principal or _missing("caller")


def _missing(what: str) -> NoReturn:
    message = f"an answer without a {what}"
    raise RuntimeError(message)
