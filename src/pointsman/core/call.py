"""A request in the one tongue of the middle: what a client wants, free of any dialect.

``None`` always means "the client did not say". Fields that a dialect has and this vocabulary does
not are kept in ``extra`` by their name in the client's dialect, as raw JSON, so that a writer of the
same dialect can put them back and any other can name them when it refuses or drops them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman.core.content import Message

__all__ = [
    "Call", "CompletionCall", "EmbeddingCall", "Reasoning", "ResponseFormat", "Sampling", "Tool", "ToolChoice",
    "WebSearch",
]  # fmt: skip


class WebSearch(msgspec.Struct, frozen=True):
    """A search of the web that a provider runs itself, as far as several of them know it.

    ``context`` is how much of what is found the model is shown; ``place`` is where the user is: ``city``, ``region``,
    ``country`` and ``timezone``.
    """

    context: str | None = None
    uses_max: int | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    place: dict[str, str] = {}


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call; ``parameters`` is its JSON Schema.

    ``native`` is a tool that only its own dialect knows (a provider's web search, a custom tool with a grammar), whole,
    as raw JSON; ``dialect`` names that dialect. Any other dialect refuses it by its name, unless it has ``parameters``
    as well: then it is also described as a function that others can offer; or ``search``, or ``runs_code``: then others
    may have one, too. ``group``: its namespace and its name there.
    """

    name: str
    description: str | None = None
    parameters: msgspec.Raw | None = None
    strict: bool | None = None
    native: msgspec.Raw | None = None
    dialect: str | None = None
    cache_control: msgspec.Raw | None = None
    group: tuple[str, str] | None = None
    search: WebSearch | None = None
    runs_code: bool = False


class ToolChoice(msgspec.Struct, frozen=True):
    """``named`` goes with ``name``."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """The shape the answer must have; ``json_schema`` goes with ``schema``."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: msgspec.Raw | None = None
    strict: bool | None = None
    description: str | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """How hard to think: an effort word (``none`` … ``high``), or a token budget, or on/off."""

    effort: str | None = None
    budget_tokens: int | None = None
    enabled: bool | None = None


class Sampling(msgspec.Struct, frozen=True):
    """The tuning knobs. ``max_tokens`` bounds the completion, reasoning included."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: msgspec.Raw | None = None


class Call(msgspec.Struct, frozen=True):
    """A chat request. ``model`` is the client's name for it."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning: Reasoning | None = None
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    extra: dict[str, msgspec.Raw] = {}


class CompletionCall(msgspec.Struct, frozen=True):
    """A legacy text completion. ``prompts`` holds one text per prompt of the request."""

    model: str
    prompts: tuple[str, ...]
    sampling: Sampling = Sampling()
    suffix: str | None = None
    echo: bool = False
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    extra: dict[str, msgspec.Raw] = {}


class EmbeddingCall(msgspec.Struct, frozen=True):
    """Texts (or token arrays) to embed; ``encoding`` is how the client wants the numbers."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    encoding: Literal["float", "base64"] = "float"
    user: str | None = None
    extra: dict[str, msgspec.Raw] = {}
