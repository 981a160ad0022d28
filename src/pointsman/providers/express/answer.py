"""Relays an OpenAI answer as it comes: complete events only, metered, the usage chunk taken out unless asked for."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from pointsman.core.errors import Broken, GatewayError
from pointsman.core.upstream import Operation
from pointsman.core.usage import Usage
from pointsman.dialects.openai_errors import given_up, read_stream_error
from pointsman.dialects.openai_fields import write_stream_error
from pointsman.providers.express.meter import ReplyMeter, read_embedding_usage, read_usage
from pointsman.providers.express.pieces import BYTES_PER_TOKEN, SINGLE_EVENT_BYTES, PiecewiseAnswer, payload_of
from pointsman.providers.naming import Renaming, names_of_event, shown_as, text_or_none
from pointsman.providers.service_tiers import served_tier

__all__ = ["ExpressAnswer"]

_decode_meter: Final = msgspec.json.Decoder(ReplyMeter).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_DONE: Final = b"data: [DONE]\n\n"
_PLAIN_ENDINGS: Final = (
    b'"finish_reason":null}]}\n\n',
    b'"finish_reason":null,"token_ids":null}]}\n\n',
    b'"finish_reason":null,"matched_stop":null}]}\n\n',
    b'"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}\n\n',
)
"""How a piece of text ends: in most servers' streams; in vLLM's of chats; in SGLang's; in vLLM's of completions."""
_MARKS: Final = (b'"usage"', b'"error"', b"[DONE]")
_GIVEN_UP: Final = b'"abort"'
_ABORTED: Final = re.compile(rb'"finish_reason": ?"abort"')
_TYPICAL_EVENT_BYTES: Final = 180
_CHOICES: Final = b'"choices":['
_HEADS_MAX: Final = 8
"""A head that holds the time changes every second; most do not."""
_NAMELESS_MAX: Final = 8
"""Events in which the name of the model is looked for."""
_SPOKEN: Final = (
    b'_calls":[',
    b'_calls": [',
    b'"reasoning',
    b'"refusal":"',
    b'"finish_reason":"',
    b'"finish_reason": "',
)
"""What makes more of a chunk than its empty content does."""
_NO_THOUGHT: Final = b'"reasoning_content":null'
"""SGLang has it in each chunk."""
_REASONING: Final = b'"reasoning":'
_REASONING_NAME: Final = re.compile(rb'"reasoning"(?=: ?(?:"|null))')
_REASONING_CONTENT: Final = b'"reasoning_content"'
_NO_REASONING_CONTENT: Final = re.compile(rb'"reasoning_content": ?null, ?|, ?"reasoning_content": ?null(?=})')


class ExpressAnswer(PiecewiseAnswer, eq=False):
    """See :class:`pointsman.core.upstream.Answer`; ``renaming`` is the lane's.

    ``tier`` is the service tier that was asked for, as prices call it; None where the price knows none.

    ``_said`` is how the chunks of a stream name the model, and ``_shown`` what stands there for the client; None until
    one has named it, empty where nothing has to be changed. ``_head`` is what stands before the choices in each chunk,
    ``_shown_head`` the same for the client, once a piece of text has shown it: one that is shorter than
    ``_text_bytes_max``; ``_heads_left`` is how often another may.
    """

    renaming: Renaming = msgspec.field(default_factory=Renaming)
    tier: str | None = None
    _said: bytes | None = None
    _shown: bytes = b""
    _head: bytes = b""
    _head_bytes: int = 0
    _shown_head: bytes = b""
    _text_bytes_max: int = 0
    _heads_left: int = _HEADS_MAX
    _done: bool = False
    _finished: bool = False
    _prefaced: bool = False
    _unsaid: bool = False

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        try:
            meter = _decode_meter(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            meter = _lenient(body)
        if meter.error and meter.failed and not meter.has_choices:
            raise read_stream_error(self._without_key(body))
        if _GIVEN_UP in body and _ABORTED.search(body):
            raise given_up()
        if self.ask.operation is Operation.EMBEDDING:
            self.usage = read_embedding_usage(meter.usage) or self._estimate(0)
        else:
            self.usage = read_usage(meter.usage) or self._estimate(len(body) // BYTES_PER_TOKEN)
        if self.tier is not None:
            self.usage = replace(self.usage, service=served_tier(meter.service_tier, self.tier))
        if isinstance(meter.id, str):
            self.answer_id = meter.id or None
        if _REASONING in body:
            body = _with_reasoning_content(body)
        shown = self.ask.answers_as or self.ask.model
        return body if meter.model == shown else self.renaming.renamed(body, meter.model, shown)

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        if not self._carry:
            size = len(data)
            if (
                size < self._text_bytes_max
                and data.startswith(self._head)
                and data.endswith(_PLAIN_ENDINGS)
                and _REASONING not in data
            ):
                # As the next, and known by how it begins: by far the most frequent one.
                self._events += 1
                self._bytes += size
                return self._shown_head + data[self._head_bytes :]
            said = self._said
            if (
                said is not None
                and size < SINGLE_EVENT_BYTES
                and data.endswith(_PLAIN_ENDINGS)
                and b'"usage"' not in data
            ):
                # One event that holds a piece of text and says nothing else.
                self._events += 1
                self._bytes += size
                if self._heads_left:
                    self._learn_head(data, said)
                if said:
                    data = data.replace(said, self._shown)
                return data if _REASONING not in data else _with_reasoning_content(data)
            if data.endswith(b"\n\n"):
                return self._relay(data)
        data = self._complete(data)
        return self._relay(data) if data else b""

    def end(self) -> bytes:
        """See the protocol."""
        last = b""
        if self._carry:
            rest = self._rest()
            last = self._relay(rest) if rest else b""
        self.cut()
        if not (self._done or self._finished or self.error is not None):
            raise Broken("The upstream ended its stream before the answer was complete: no finish_reason, no [DONE].")
        return last + _DONE

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return write_stream_error(error)

    def is_preface(self, block: bytes) -> bool:
        """See the protocol: the chunk in which most servers name the role, before there is any text."""
        self._prefaced = self._events == 1 and _says_nothing(block)
        return self._prefaced

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            text_bytes = self._bytes - self._events * _TYPICAL_EVENT_BYTES
            self.usage = self._estimate(max(self._events, text_bytes // BYTES_PER_TOKEN))

    def _relay(self, data: bytes) -> bytes:
        """Meter complete events, and give them with the model named as the client named it."""
        if self._said is None:
            self._learn_names(data)
        out = self._metered(data)
        if _REASONING in out:
            out = _with_reasoning_content(out)
        return out.replace(self._said, self._shown) if self._said else out

    def _learn_names(self, data: bytes) -> None:
        """Take the names from the first events; some services begin with one that has none."""
        self.answer_id = self.answer_id or text_or_none(names_of_event(data).id)
        names = shown_as(data, self.ask.answers_as or self.ask.model)
        if names is not None:
            self._said, self._shown = names
        elif self._events >= _NAMELESS_MAX:
            self._said = b""

    def _learn_head(self, data: bytes, said: bytes) -> None:
        """Take what stands before the choices from a piece of text, if it is all that has to be looked at.

        Whatever is too short to have that twice is one event.
        """
        self._heads_left -= 1
        head = data[: data.find(_CHOICES) + len(_CHOICES)]
        if head.endswith(_CHOICES) and head.startswith(b"data:") and b"\n" not in head and said in head:
            self._head, self._shown_head = head, head.replace(said, self._shown) if said else head
            self._head_bytes = len(head)
            self._text_bytes_max = min(2 * len(head), SINGLE_EVENT_BYTES)

    def _metered(self, data: bytes) -> bytes:
        """Meter complete events; those that say more than text are looked into, the others pass as they are."""
        size = len(data)
        self._unsaid = not self._events or (self._prefaced and self._events == 1)
        self._bytes += size
        self._events += 1 if size < SINGLE_EVENT_BYTES else data.count(b"data:")
        if not self._finished:
            # The last one counts, and from behind it is found at once.
            place = data.rfind(b'"finish_reason"')
            self._finished = place >= 0 and data[place + 15 : place + 18].lstrip(b": ").startswith(b'"')
            if self._finished and data[place + 15 : place + 25].lstrip(b": ").startswith(_GIVEN_UP):
                if self._unsaid:
                    raise given_up()
                self.error = given_up()
        if b'"usage"' in data or b'"error"' in data or b"[DONE]" in data:
            return self._look_into(data)
        return data

    def _look_into(self, data: bytes) -> bytes:
        nulls = data.count(b'"usage":null')
        if nulls and nulls == data.count(b'"usage"') and b'"error"' not in data and b"[DONE]" not in data:
            if self.ask.include_usage:
                return data
            bare = data.replace(b',"usage":null', b"")
            if b'"usage"' not in bare:
                return bare
        # Usage and [DONE] come last, so what stands before the first event that says more than text stays in one piece.
        first = min(place for mark in _MARKS if (place := data.find(mark)) >= 0)
        cut = data.rfind(b"\n\n", 0, first) + 2
        plain = data[:cut] if cut > 1 else b""
        self._unsaid = self._unsaid and (not plain or _says_nothing(plain))
        events = [self._event(event.strip(b"\n")) for event in data[len(plain) :].split(b"\n\n")]
        return plain + b"".join(events)

    def _event(self, event: bytes) -> bytes:
        """What the client gets of an event.

        Raises:
            UpstreamFailed: it tells of a failure before any of the answer, so that it can be an answer of its own.
        """
        payload = payload_of(event)
        if not event:
            return b""
        if payload == b"[DONE]":
            self._done = True
            return b""
        says_nothing = self._unsaid and _says_nothing(event)
        if b'"usage"' not in payload and b'"error"' not in payload:
            self._unsaid = says_nothing
            return event + b"\n\n"
        try:
            meter = _decode_meter(payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return event + b"\n\n"
        if meter.failed:
            error = read_stream_error(self._without_key(payload))
            if self._unsaid:
                raise error
            self.error = error
            event = self._without_key(event)
        usage = read_usage(meter.usage)
        self._unsaid = says_nothing
        if usage is not None:
            tier = self.tier
            self.usage = usage if tier is None else replace(usage, service=served_tier(meter.service_tier, tier))
        if self.ask.include_usage:
            return event + b"\n\n"
        if usage is not None and not meter.has_choices and not meter.failed:
            return b""
        return _without_usage(event)

    def _estimate(self, completion: int) -> Usage:
        return Usage(self.ask.prompt_estimate, completion, source="estimated", service=self.tier or "")


def _with_reasoning_content(data: bytes) -> bytes:
    """An answer whose reasoning is called as by every other upstream, and as LiteLLM calls it.

    Newer servers of vLLM, Groq, Cerebras and OpenRouter call it ``reasoning``. Some tell it under both names.
    """
    without = _NO_REASONING_CONTENT.sub(b"", data)
    return data if _REASONING_CONTENT in without else _REASONING_NAME.sub(_REASONING_CONTENT, without)


def _says_nothing(block: bytes) -> bool:
    """Whether it is one chunk that has none of the answer in it. What cannot be told at a glance has."""
    block = block.replace(_NO_THOUGHT, b"")
    return (
        block.count(b"data:") == 1
        and (b'"content":""' in block or b'"content":null' in block or b'"content": ""' in block)
        and not any(mark in block for mark in _SPOKEN)
    )


def _without_usage(event: bytes) -> bytes:
    """The event with every field of its data but ``usage``, as they were."""
    fields = _decode_fields(payload_of(event))
    if "usage" not in fields:
        return event + b"\n\n"
    del fields["usage"]
    others = [line for line in event.split(b"\n") if not line.startswith(b"data:")]
    prefix = b"data: " if b"data: " in event else b"data:"
    return b"\n".join([*others, prefix + _encode(fields)]) + b"\n\n"


def _lenient(body: bytes) -> ReplyMeter:
    """The meter of an answer whose usage has odd types; the answer itself must be JSON.

    Raises:
        Broken: it is not.
    """
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Broken("The upstream's answer is not a JSON object.") from None
    return ReplyMeter(choices=msgspec.Raw(b"[]"))
