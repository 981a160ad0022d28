"""Deployments, and the protocols by which the story of a request talks to the far side.

A *deployment* is one model at one address under one public name. A *lane* is the way from one client dialect to one
deployment: it writes the upstream request and reads the answer back into bytes of the client's dialect, metering on the
way. The express lane hardly touches the bytes; a translated lane goes through :mod:`~pointsman.core.call` and
:mod:`~pointsman.core.events`. The story knows only what is here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final, Protocol, TypeGuard

import msgspec

from pointsman.core.access import Access
from pointsman.core.call import Call
from pointsman.core.errors import GatewayError
from pointsman.core.handling import USUAL, Handling
from pointsman.core.identity import Owner
from pointsman.core.price import Price
from pointsman.core.rules import ParameterRules, RoutingRules
from pointsman.core.secret import Secret
from pointsman.core.terms import Terms
from pointsman.core.usage import Usage

__all__ = [
    "UPSTREAM_TYPE",
    "Answer",
    "AnsweredHere",
    "Ask",
    "Continuable",
    "Deployment",
    "Lane",
    "Operation",
    "Outbound",
    "Timeouts",
    "may_be_continued",
]

_JSON: Final = b"application/json"
_POST: Final = b"POST"
UPSTREAM_TYPE: Final = b"*"
"""See :attr:`Answer.content_type`."""


class Operation(Enum):
    """What a client can ask of a model; the value is LiteLLM's ``call_type`` where it has one.

    Of ``/api/generate`` there are two: a chat of one turn, and a completion where the prompt is to be taken as it is.
    """

    CHAT = "acompletion"
    COMPLETION = "atext_completion"
    EMBEDDING = "aembedding"
    MESSAGES = "anthropic_messages"
    RESPONSES = "aresponses"
    COMPACTION = "acompact_responses"
    GEMINI_CHAT = "agenerate_content"
    GEMINI_STREAM = "agenerate_content_stream"
    GEMINI_ARRAY_STREAM = "gemini_array_stream"
    GEMINI_EMBED = "gemini_embed_content"
    GEMINI_BATCH_EMBED = "gemini_batch_embed_contents"
    OLLAMA_CHAT = "ollama_chat"
    OLLAMA_GENERATE = "ollama_generate"
    OLLAMA_COMPLETION = "ollama_completion"
    OLLAMA_EMBED = "ollama_embed"
    OLLAMA_EMBEDDINGS = "ollama_embeddings"
    OLLAMA_LOAD = "ollama_load"
    IMAGE = "aimage_generation"
    IMAGE_EDIT = "aimage_edit"
    IMAGE_VARIATION = "aimage_variation"
    SPEECH = "aspeech"
    TRANSCRIPTION = "atranscription"
    TRANSLATION = "atranslation"
    MODERATION = "amoderation"
    RERANK = "arerank"
    REALTIME = "_arealtime"
    PASS_THROUGH = "pass_through_endpoint"  # noqa: S105


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds each phase of an attempt may take.

    ``load`` bounds the silence before the first byte of an answer: a cold model loads in this time.
    ``first_byte`` does so instead where it is known that the model is loaded; None: as ``load``.
    ``idle`` bounds every later silence. ``total`` None: no bound on the whole. ``first_token`` bounds the time until a
    stream has said something of its answer, whatever else came before; None: nothing but the others does.
    """

    connect: float = 2.0
    load: float = 600.0
    idle: float = 120.0
    total: float | None = None
    first_byte: float | None = None
    first_token: float | None = None


_SECRET_CHARACTERS_MIN: Final = 6


class Deployment(msgspec.Struct, frozen=True):
    """One model at one address. ``model`` is what the upstream calls it, ``litellm_model`` what the config says.

    ``group`` is the public name; ``key_header`` bears the key, as a bearer token where it is ``Authorization``;
    ``access`` is what a cloud of its own demands beyond that; ``pinned`` are body fields set by the operator, raw JSON
    by name; the request's own win. ``order``: the lowest goes first, None last. ``rpm`` and ``tpm`` are its requests
    and tokens a minute, ``budget`` is what it may cost in picodollars within each ``budget_duration``. ``tag_patterns``
    fit what clients call themselves, and count as tags. ``team_id`` is the only team whose keys may use it, None: all.
    ``num_retries`` and ``cooldown_seconds`` None: as for all others. ``price`` None: nobody told us. ``charges`` is
    False where no call can cost anything. ``told`` is what the operator tells clients about it beyond that, raw JSON by
    name. ``stored``: it was added at run time, not by the configuration file. ``handling`` is what else the operator
    wants of it. ``terms`` None: as with most.
    """

    id: str
    group: str
    provider: str
    model: str
    litellm_model: str
    api_base: str
    price: Price | None
    charges: bool = True
    api_key: Secret | None = None
    key_header: str = "Authorization"
    access: Access | None = None
    headers: Mapping[str, Secret] = {}
    pinned: Mapping[str, msgspec.Raw] = {}
    timeouts: Timeouts = Timeouts()
    weight: float = 1.0
    order: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    budget: int | None = None
    budget_duration: str | None = None
    tags: tuple[str, ...] = ()
    tag_patterns: tuple[str, ...] = ()
    region: str | None = None
    mode: str = "chat"
    context_tokens: int | None = None
    output_tokens_max: int | None = None
    capabilities: frozenset[str] = frozenset()
    access_groups: frozenset[str] = frozenset()
    team_id: str | None = None
    drop_params: bool = False
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: tuple[str, ...] = ()
    modify_params: bool = False
    max_parallel_requests: int | None = None
    local: bool = False
    num_ctx_max: int | None = None
    num_ctx: int | None = None
    keep_alive: msgspec.Raw | None = None
    discovered: bool = False
    told: Mapping[str, msgspec.Raw] = {}
    num_retries: int | None = None
    cooldown_seconds: float | None = None
    stored: bool = False
    handling: Handling = USUAL
    terms: Terms | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may be told should the upstream repeat it: its keys and tokens, and what its headers bear."""
        access = () if self.access is None else msgspec.structs.astuple(self.access)
        said = [one for one in (self.api_key, *access, *self.headers.values()) if isinstance(one, Secret)]
        return tuple(one.reveal() for one in said if len(one.reveal()) >= _SECRET_CHARACTERS_MIN)


class Ask(msgspec.Struct):
    """As much of a request as has to be known before choosing where it goes.

    ``fields`` are the top-level fields of the body as raw JSON, by name, in order, each once.
    ``prompt_estimate`` is in tokens; ``output_limit`` is the client's own bound on the completion.
    """

    operation: Operation
    model: str
    fields: dict[str, msgspec.Raw]
    stream: bool = False
    include_usage: bool = False
    output_limit: int | None = None
    choices: int = 1
    prompt_estimate: int = 0
    end_user: str | None = None
    call: Call | None = None
    """The whole request, once a translating lane has read it."""
    notes: msgspec.Struct | None = None
    """What the client's dialect keeps of the request for its answer."""
    rules: ParameterRules | None = None
    """What the request says of its own parameters; None, as with most, where it says nothing."""
    routing: RoutingRules | None = None
    """What the request says of its own way; None, as with most, where it says nothing."""
    versions: tuple[tuple[str, str], ...] = ()
    """Headers that name beta features of an API: lower-case names and their values."""
    owner: Owner | None = None
    """Who asks; known before :meth:`Lane.prepare`."""
    is_preview: bool = False
    """Whether it is only to be written and shown, so that preparing it must not ask a model of anything."""
    keep: Callable[[], Awaitable[None]] | None = None
    """Stores what is to be kept of the answer, before its last bytes leave. Does not fail."""
    answers_as: str | None = None
    """The model that the answer names, where another one stands in; None: the one asked for."""
    continues: msgspec.Struct | None = None
    """The answer that was cut off and is to be continued, as the lane that gave it tells it to the next one."""

    def body(self) -> bytes:
        """The body again, each top-level field once."""
        return msgspec.json.encode(self.fields)


class AnsweredHere(Exception):
    """Raised by a lane that has the answer itself, so that no upstream is asked; ``body`` is the client's."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


class Outbound(msgspec.Struct, frozen=True):
    """A request ready to be sent: path and query below the deployment's ``api_base``, and the body.

    ``headers`` are this request's own (a signature, a token that was just got): names and values, which win over the
    deployment's.
    """

    path: bytes
    body: bytes
    content_type: bytes = _JSON
    headers: tuple[tuple[str, Secret], ...] = ()
    method: bytes = _POST

    @property
    def is_unusual(self) -> bool:
        """Whether it does not post JSON, as nearly all requests do."""
        return self.content_type is not _JSON or self.method is not _POST


class Answer(Protocol):
    """Reads one upstream answer and gives bytes of the client's dialect; one object per attempt.

    ``content_type`` is that of the client's bytes, whole or streamed; empty: the dialect's own;
    :data:`UPSTREAM_TYPE`: the one that the upstream gave. ``usage`` is final
    after :meth:`whole`, :meth:`end` or :meth:`cut`. ``error`` is set when the upstream failed in a
    way that the client was told of in the stream (so that the ledger records a failure although the status was 200).
    ``answer_id`` is the id that the client's bytes name the answer by, None where they have none.
    """

    content_type: bytes
    usage: Usage
    error: GatewayError | None
    answer_id: str | None

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """The error that an upstream answer with a status of 400 or more means."""
        ...

    def whole(self, body: bytes) -> bytes:
        """The body for the client of an unstreamed answer.

        Raises:
            Broken: the body cannot be read.
        """
        ...

    def feed(self, data: bytes) -> bytes:
        """Client bytes, complete events only, for more upstream bytes; empty when there are none yet.

        Raises:
            GatewayError: the upstream reported a failure, sent what cannot be read, or an event over its bound.
        """
        ...

    def end(self) -> bytes:
        """The closing bytes once the upstream ended its stream.

        Raises:
            Broken: the upstream ended before its answer was complete.
        """
        ...

    def failed(self, error: GatewayError) -> bytes:
        """Bytes that tell the client of an error in a stream that has begun, and end the stream.

        Empty where nothing in the stream can tell it: the connection is broken off then.
        """
        ...

    def is_preface(self, block: bytes) -> bool:
        """Whether ``block``, which :meth:`feed` just gave, and all before it has nothing of the answer itself in it.

        So that it can be thrown away and the answer begun by another upstream. When in doubt it has.
        """
        ...

    def cut(self) -> None:
        """The answer was cut off; estimate ``usage`` from what was seen."""
        ...


class Continuable(Answer, Protocol):
    """An answer that keeps what it tells. Its failure is raised; ``unsent`` came along and is the client's, too."""

    unsent: bytes

    def cut_off(self) -> msgspec.Struct | None:
        """For :attr:`Ask.continues`; None: nobody can go on."""
        ...


def may_be_continued(answer: Answer) -> TypeGuard[Continuable]:
    """Whether another deployment can go on with it. Python's own look at a protocol costs as much as half a request."""
    return hasattr(answer, "cut_off")


class Lane(Protocol):
    """The way from one client dialect to one deployment. Shared by all requests; keeps no state of one.

    ``prepares`` tells whether :meth:`prepare` has to be awaited before :meth:`write`.
    """

    prepares: bool

    async def prepare(self, ask: Ask) -> None:
        """Find out what :meth:`write` needs to know (a context limit, a remote image).

        Raises:
            GatewayError: the request cannot be served.
        """
        ...

    def write(self, ask: Ask) -> Outbound:
        """The upstream request.

        Raises:
            AnsweredHere: none is needed.
            Malformed, Unsupported: the request cannot be expressed; the message names the field.
        """
        ...

    def answer(self, ask: Ask) -> Answer:
        """A reader for the answer."""
        ...
