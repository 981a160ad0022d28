"""Requests for Mistral: a chat request of OpenAI's rewritten, and filling in the middle.

Source: https://docs.mistral.ai/api/endpoint/chat and https://docs.mistral.ai/api/endpoint/fim. Fields that Mistral does
not know make it refuse the whole request; what a call wants and Mistral does not have must have been refused or dropped
before (:mod:`.knobs`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import CompletionCall, Reasoning
from pointsman.dialects.droppable import is_off
from pointsman.dialects.mistral.messages import fit_messages

__all__ = ["rewrite_request", "write_completion_request"]

_RawFields = dict[str, msgspec.Raw]

_decode_fields: Final = msgspec.json.Decoder(_RawFields).decode
_decode_messages: Final = msgspec.json.Decoder(list[_RawFields]).decode
_encode: Final = msgspec.json.Encoder().encode

_RENAMED: Final = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}
_LEFT_OUT: Final = frozenset({"reasoning", "reasoning_effort", "stream_options", "thinking", "user"})
_REQUIRED: Final = msgspec.Raw(b'"required"')
_ANY: Final = msgspec.Raw(b'"any"')
_ALWAYS_THINKS: Final = "magistral"
"""Models that think unless their system prompt is taken away; they have no efforts."""
_OTHER_MAKERS: Final = ("deepseek-", "glm-", "zai-")
"""Models that Mistral only serves, and that know more efforts than its own."""
_THINK: Final = "high"
"""The one effort besides ``none`` that Mistral's own models know
(https://docs.mistral.ai/capabilities/reasoning/adjustable); as in LiteLLM, nobody gets less than was asked for."""


def rewrite_request(body: bytes, *, model: str, reasoning: Reasoning | None, thinks: bool) -> bytes:
    """A well-formed request of OpenAI's chat as Mistral takes it.

    Args:
        body: The request.
        model: Mistral's name for the model.
        reasoning: How hard to think, which the body is not asked about.
        thinks: Whether the model reasons.
    """
    given = _decode_fields(body)
    fields = {_RENAMED.get(name, name): raw for name, raw in given.items() if name not in _LEFT_OUT}
    fields["messages"] = msgspec.Raw(_encode(fit_messages(_decode_messages(given["messages"]), thinks=thinks)))
    if fields.get("tool_choice") == _REQUIRED:
        fields["tool_choice"] = _ANY
    return _encode({**fields, **_write_reasoning(reasoning, model)})


def write_completion_request(call: CompletionCall, model: str) -> bytes:
    """The body for ``/fim/completions``: what stands before the gap, and what stands behind it."""
    sampling = call.sampling
    fields: dict[str, object] = {
        "model": model,
        "prompt": call.prompts[0],
        "suffix": call.suffix,
        "stream": True if call.stream else None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": sampling.stop,
        "random_seed": sampling.seed,
        **call.extra,
    }
    return _encode({name: value for name, value in fields.items() if value is not None})


def _write_reasoning(reasoning: Reasoning | None, model: str) -> dict[str, object]:
    if reasoning is None:
        return {}
    if _ALWAYS_THINKS in model:
        return {"prompt_mode": None} if is_off(reasoning) else {}
    if is_off(reasoning):
        return {"reasoning_effort": "none"}
    word = reasoning.effort if model.startswith(_OTHER_MAKERS) else None
    return {"reasoning_effort": word or _THINK}
