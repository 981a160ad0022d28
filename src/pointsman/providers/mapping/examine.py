"""Runs a client dialect's catalogue against a kind of upstream, and says what became of each probe.

A probe's request and the same request without it go through the real lane. What differs in the upstream's request is
where the probe went. Where nothing differs there, the answers that the gateway would give are compared: what differs in
them, the gateway does itself. What is neither is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

import msgspec

from pointsman.core.content import File, Image, Message, Part
from pointsman.core.errors import GatewayError, Unsupported
from pointsman.core.upstream import Ask, Lane, Operation, Outbound
from pointsman.providers.express import ExpressLane
from pointsman.providers.fitting import fitting_for
from pointsman.providers.mapping.differences import Json, differences, leaves
from pointsman.providers.mapping.parties import ClientParty, FarParty
from pointsman.providers.mapping.probes import DOCUMENT, PIXEL, Kind, Probe
from pointsman.providers.mapping.samples import EVENTS, OPENAI_STREAM
from pointsman.providers.media import MediaKind
from pointsman.providers.native import ANTHROPIC_MESSAGES, NativeLane
from pointsman.providers.translated.lane import TranslatedLane, read_call
from pointsman.providers.translated.remote_media import ToFetch, has_remote_media
from pointsman.providers.translated.sides import ClientSide

__all__ = ["Outcome", "Row", "examine", "examine_probe"]

_MODEL: Final = "probe"
_MESSAGES_STREAM: Final = b'data: {"type":"message_start"}\n\n'
_FETCHED: Final = "The gateway fetches it, where the operator allows that."
_TIMES: Final = ("_at", ".created", "_duration")
"""How fields end that tell of time, which may or may not have passed."""
_ECHO: Final = "The answer names it, as the dialect demands."
_KEPT: Final = "The gateway keeps responses and conversations itself."
_IN_ANSWER: Final = "The gateway sees to it in the answer."

_decode: Final[Callable[[bytes | str], Json]] = msgspec.json.Decoder().decode
_decode_object: Final[Callable[[bytes | str], dict[str, Json]]] = msgspec.json.Decoder(dict).decode
_encode: Final = msgspec.json.Encoder().encode


class Outcome(Enum):
    """What becomes of something that a client says; the value is for people to read."""

    MAPPED = "mapped"
    EMULATED = "emulated"
    PASSED_OVER = "passed over"
    DROPPABLE = "refused, or dropped with drop_params"
    REFUSED = "refused"


class Row(msgspec.Struct, frozen=True):
    """What became of one probe: where in the upstream's request it went, or why it did not."""

    name: str
    kind: Kind
    outcome: Outcome
    targets: tuple[str, ...] = ()
    note: str = ""


class _Sent(msgspec.Struct, frozen=True):
    """One request that went through."""

    upstream: Json
    answer: frozenset[tuple[str, str]]
    fetched: bool


def examine(client: ClientParty, far: FarParty) -> tuple[Row, ...]:
    """A row for each probe of the client's catalogue, in its order."""
    return tuple(examine_probe(client, far, probe) for probe in client.probes)


def examine_probe(client: ClientParty, far: FarParty, probe: Probe) -> Row:
    """What becomes of one probe; what it goes with may be refused already."""
    if probe.parameter in client.kept:
        return Row(probe.name, probe.kind, Outcome.EMULATED, note=_KEPT)
    without = _body(client, probe.beside)
    body = _body(client, probe.beside, probe.says)
    try:
        before = _send(client, far, without)
        after = _send(client, far, body)
        again = _send(client, far, without)
    except GatewayError as refusal:
        return Row(probe.name, probe.kind, _refusal(client, far, body), note=refusal.message)
    targets = differences(before.upstream, after.upstream)
    if after.fetched:
        return Row(probe.name, probe.kind, Outcome.EMULATED, targets, _FETCHED)
    if targets:
        return Row(probe.name, probe.kind, Outcome.MAPPED, targets)
    # Ids are other ones each time.
    volatile = {place for place, _ in before.answer ^ again.answer}
    told = {place for place, _ in before.answer ^ after.answer} - volatile
    if not told:
        return Row(probe.name, probe.kind, Outcome.PASSED_OVER)
    if all(f".{probe.parameter}" in place for place in told):
        return Row(probe.name, probe.kind, Outcome.PASSED_OVER, note=_ECHO)
    return Row(probe.name, probe.kind, Outcome.EMULATED, note=_IN_ANSWER)


def _refusal(client: ClientParty, far: FarParty, body: bytes) -> Outcome:
    """What kind of refusal it is: whether the operator may have it dropped."""
    lenient = msgspec.structs.replace(far.deployment, drop_params=True)
    try:
        _send(client, msgspec.structs.replace(far, deployment=lenient), body)
    except GatewayError:
        return Outcome.REFUSED
    return Outcome.DROPPABLE


def _body(client: ClientParty, *layers: str) -> bytes:
    """The plainest request with more laid over it; objects in it are joined member by member."""
    body = _decode_object(client.base)
    for layer in layers:
        for name, value in _decode_object(layer).items():
            former = body.get(name)
            both = isinstance(former, dict) and isinstance(value, dict)
            body[name] = {**former, **value} if both else value  # type: ignore[dict-item] # both are objects
    return _encode(body)


def _send(client: ClientParty, far: FarParty, body: bytes) -> _Sent:
    """Everything that is done for a request, but sending it.

    Raises:
        GatewayError: it is refused.
    """
    ask = client.dialect.read_ask(body, client.operation, _MODEL)
    if client.operation in far.express:
        outbound, told = _express(far, ask)
        return _sent(outbound, [told])
    if client.side is None:
        plain = far.plain.get(client.operation)
        if plain is None:
            raise Unsupported(f"{far.title} does not have {client.title}.", param="model")
        outbound, told = plain(body, far.deployment)
        return _sent(outbound, [told])
    lane = TranslatedLane(client.side, far.far(far.deployment), far.deployment)
    call = read_call(client.side, ask)
    fetched = has_remote_media(call, ToFetch(far.fetches))
    if fetched:
        ask.call = msgspec.structs.replace(
            call, messages=tuple(_inlined(message, far.fetches) for message in call.messages)
        )
    outbound = lane.write(ask)
    return _sent(outbound, [_whole(lane, ask, far.sample), _streamed(client.side, ask)], fetched=fetched)


def _sent(outbound: Outbound, told: list[bytes], *, fetched: bool = False) -> _Sent:
    upstream: Json = {"path": outbound.path.decode(), "body": _decode(outbound.body)}
    return _Sent(upstream, frozenset(leaf for text in told for leaf in _told_leaves(text)), fetched)


def _express(far: FarParty, ask: Ask) -> tuple[Outbound, bytes]:
    if ask.operation is Operation.MESSAGES:
        outbound = NativeLane(far.deployment, ANTHROPIC_MESSAGES).write(ask)
        return outbound, _MESSAGES_STREAM if ask.stream else far.sample
    fitting = fitting_for(far.deployment) if ask.operation is Operation.CHAT else None
    lane = ExpressLane(far.deployment, ask.operation, fitting)
    outbound, answer = lane.write(ask), lane.answer(ask)
    return outbound, answer.feed(OPENAI_STREAM) + answer.end() if ask.stream else answer.whole(far.sample)


def _whole(lane: Lane, ask: Ask, sample: bytes) -> bytes:
    return lane.answer(ask).whole(sample)


def _streamed(side: ClientSide, ask: Ask) -> bytes:
    writer = side.writing(read_call(side, ask), ask).writer
    return writer.write(EVENTS) + writer.end()


def _told_leaves(text: bytes) -> Iterator[tuple[str, str]]:
    """The leaves of every piece of JSON in an answer, whole or in lines."""
    for number, line in enumerate(text.split(b"\n")):
        data = line.removeprefix(b"data: ").strip()
        if data[:1] in {b"{", b"["}:
            try:
                told = leaves(_decode(data))
                yield from ((f"{number}{place}", value) for place, value in told if not place.endswith(_TIMES))
            except msgspec.MsgspecError:
                yield str(number), data.decode("utf-8", "replace")


def _inlined(message: Message, kinds: frozenset[MediaKind]) -> Message:
    return msgspec.structs.replace(message, parts=tuple(_inlined_part(part, kinds) for part in message.parts))


def _inlined_part(part: Part, kinds: frozenset[MediaKind]) -> Part:
    if isinstance(part, Image) and part.url is not None and "image" in kinds:
        return Image(data=PIXEL, media_type="image/png", detail=part.detail)
    if isinstance(part, File) and part.url is not None and "document" in kinds:
        return File(data=DOCUMENT, media_type="application/pdf", filename=part.filename)
    return part
