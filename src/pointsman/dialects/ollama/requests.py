"""Requests for Ollama: ``/api/chat``, ``/api/generate`` and ``/api/embed``.

``stream`` is always said, since Ollama's default is true. So is ``truncate: false``: Ollama would otherwise cut a
prompt that is longer than its context window without a word; this way it answers 400. ``shift`` is never sent,
though it would also keep Ollama from dropping the beginning of a long answer's context: another value of it
than the one a model was loaded with makes Ollama load the model again.

What a call wants and Ollama does not have must have been refused or dropped before (:mod:`.knobs`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, CompletionCall, EmbeddingCall, Reasoning, ResponseFormat, Sampling, Tool
from pointsman.core.errors import Unsupported
from pointsman.dialects.ollama.client_loads import LoadRequest
from pointsman.dialects.ollama.knobs import OPTIONS
from pointsman.dialects.ollama.messages import write_messages
from pointsman.dialects.ollama.types import OllamaTarget, ToolDefinition, ToolFunction
from pointsman.wire.json_fields import decode_field

__all__ = [
    "asked_num_ctx",
    "write_completion_request",
    "write_embedding_request",
    "write_load_request",
    "write_request",
]

_encode: Final = msgspec.json.Encoder().encode
_decode_options: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_decode_count: Final = msgspec.json.Decoder(int).decode

_NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_SAME_NAME: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
)
"""Fields of :class:`~pointsman.core.call.Sampling` that are options of Ollama under the same name."""

_LEVELS_BY_NAME: Final = {"gpt-oss": ("low", "medium", "high")}
"""Models that are told how hard to think by a word, where ``/api/show`` does not say so."""

_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh", "max", "ultra")
_BUDGETS: Final = ((1024, "low"), (4096, "medium"))
"""Up to so many tokens of thinking count as such an effort, anything above as ``high``."""


def write_request(call: Call, target: OllamaTarget) -> bytes:
    """The body for ``/api/chat``.

    ``tool_choice: none`` sends no tools. ``parallel_tool_calls: false`` has no counterpart here; the reader of the
    answer keeps the first call only.

    Raises:
        Malformed, Unsupported: a message cannot be expressed, or an extra field is of a wrong type.
    """
    tools = () if call.tool_choice is not None and call.tool_choice.mode == "none" else call.tools
    fields: dict[str, object] = {
        "model": target.model,
        "messages": write_messages(call.messages),
        "tools": [_write_tool(tool) for tool in tools] or None,
        "stream": call.stream,
        "format": _write_format(call.response_format) or call.extra.get("format"),
        "think": _write_think(call.reasoning, target) if call.reasoning else call.extra.get("think"),
        **_write_rest(call, target),
    }
    return _encode_said(fields)


def write_completion_request(call: CompletionCall, target: OllamaTarget) -> bytes:
    """The body for ``/api/generate``.

    As with Ollama's own ``/v1/completions`` the model's template is applied, unless the client says ``raw``.
    Thinking is switched off unless the client switches it on: the format of the answer has no place for it, so
    it would only eat the answer's tokens.

    Raises:
        Malformed: an extra field is of a wrong type.
        Unsupported: there are several prompts.
    """
    if len(call.prompts) != 1:
        raise Unsupported("prompt must be one text; Ollama takes one at a time.", param="prompt")
    fields: dict[str, object] = {
        "model": target.model,
        "prompt": call.prompts[0],
        "suffix": call.suffix,
        "stream": call.stream,
        "think": call.extra.get("think", False),
        **{name: call.extra.get(name) for name in ("format", "raw", "system", "template")},
        **_write_rest(call, target),
    }
    return _encode_said(fields)


def write_embedding_request(call: EmbeddingCall, target: OllamaTarget) -> bytes:
    """The body for ``/api/embed``.

    Raises:
        Malformed: an extra field is of a wrong type.
        Unsupported: an input is token ids.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Ollama takes no token ids.", param="input")
    fields: dict[str, object] = {
        "model": target.model,
        "input": call.inputs,
        "dimensions": call.dimensions,
        "truncate": False,
        "keep_alive": call.extra.get("keep_alive", target.keep_alive),
        "options": _write_options(Sampling(), call.extra, target) or None,
    }
    return _encode_said(fields)


def write_load_request(load: LoadRequest, target: OllamaTarget) -> bytes:
    """The body for the route that ``load`` names: no content, and for how long the model shall stay."""
    embeds = load.route in {"embed", "embeddings"}
    fields: dict[str, object] = {
        "model": target.model,
        "messages": [] if load.route == "chat" else None,
        "input": [] if embeds else None,
        "stream": None if embeds else False,
        "keep_alive": target.keep_alive if load.keep_alive is None else load.keep_alive,
        "options": None if load.unload else _write_options(Sampling(), {}, target) or None,
    }
    return _encode_said(fields)


def asked_num_ctx(call: Call | CompletionCall | EmbeddingCall) -> int | None:
    """The context window in tokens that the client asks for, as ``num_ctx`` or ``options.num_ctx``.

    Raises:
        Malformed: it is not an integer, or ``options`` is not an object.
    """
    if "num_ctx" in call.extra:
        return decode_field("num_ctx", call.extra["num_ctx"], _decode_count)
    if "options" in call.extra:
        options = decode_field("options", call.extra["options"], _decode_options) or {}
        if "num_ctx" in options:
            return decode_field("options.num_ctx", options["num_ctx"], _decode_count)
    return None


def _encode_said(fields: dict[str, object]) -> bytes:
    return _encode({name: value for name, value in fields.items() if value is not None})


def _write_rest(call: Call | CompletionCall, target: OllamaTarget) -> dict[str, object]:
    sampling = call.sampling
    return {
        "options": _write_options(sampling, call.extra, target) or None,
        "keep_alive": call.extra.get("keep_alive", target.keep_alive),
        "logprobs": sampling.logprobs,
        "top_logprobs": sampling.top_logprobs if sampling.logprobs else None,
        "truncate": False,
    }


def _write_options(sampling: Sampling, extra: dict[str, msgspec.Raw], target: OllamaTarget) -> dict[str, object]:
    """``options``: an object of that name first, then Ollama's names at the top level, then OpenAI's fields."""
    options: dict[str, object] = {}
    if "options" in extra:
        options.update(decode_field("options", extra["options"], _decode_options) or {})
    options.update({name: raw for name, raw in extra.items() if name in OPTIONS or name == "num_ctx"})
    said = {name: getattr(sampling, name) for name in _SAME_NAME}
    said["num_predict"] = sampling.max_tokens
    said["num_ctx"] = target.num_ctx
    options.update({name: value for name, value in said.items() if value is not None})
    return options


def _write_tool(tool: Tool) -> ToolDefinition:
    parameters = _NO_PARAMETERS if tool.parameters is None else tool.parameters
    return ToolDefinition(function=ToolFunction(tool.name, tool.description or "", parameters))


def _write_format(shape: ResponseFormat | None) -> str | msgspec.Raw | None:
    if shape is None or shape.kind == "text":
        return None
    return "json" if shape.schema is None else shape.schema


def _write_think(reasoning: Reasoning, target: OllamaTarget) -> bool | str:
    """On or off, or a level for models that take levels; a budget of tokens becomes the nearest effort."""
    effort = reasoning.effort
    if effort == "none" or (effort is None and reasoning.enabled is False):
        return False
    levels = target.think_levels
    if levels is None:
        levels = next((words for name, words in _LEVELS_BY_NAME.items() if name in target.model), ())
    if effort is None and reasoning.budget_tokens is not None:
        effort = next((word for most, word in _BUDGETS if reasoning.budget_tokens <= most), "high")
    if not levels or effort is None:
        return True
    return _nearest(effort, levels)


def _nearest(effort: str, levels: tuple[str, ...]) -> bool | str:
    """The level nearest to an effort; of two as near, the lower."""
    known = [level for level in levels if level in _EFFORTS]
    if effort not in _EFFORTS or not known:
        return True
    wanted = _EFFORTS.index(effort)
    return min(known, key=lambda level: (abs(_EFFORTS.index(level) - wanted), _EFFORTS.index(level)))
