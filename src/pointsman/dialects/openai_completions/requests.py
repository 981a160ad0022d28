"""Legacy completion requests: read from a client, written for an upstream."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import CompletionCall, Sampling
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.openai_completions.types import CompletionRequest, StreamOptions
from pointsman.dialects.openai_fields import demand_model_name, read_stop
from pointsman.wire.json_fields import read_body, read_fields

__all__ = ["read_request", "write_request"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(CompletionRequest).decode

_NULL: Final = msgspec.Raw(b"null")
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(CompletionRequest))
_SAME_NAME: Final = (
    "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty", "max_tokens", "n",
    "stop", "logit_bias",
)  # fmt: skip
"""Fields of :class:`~pointsman.core.call.Sampling` that have the same name here."""


def read_request(body: bytes, model: str | None = None) -> CompletionCall:
    """A client's request. ``model`` is the one that its path names, which wins over the body's.

    ``best_of`` that asks for no more than ``n`` is dropped as it says nothing; another stays in ``extra``.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
        Unsupported: a prompt of token ids, which only the model's own tokenizer could turn into text.
    """
    fields = read_fields(body)
    request = read_body(body, _decode)
    name = model if model is not None else request.model
    if name is None:
        raise Malformed("model is required.", param="model")
    demand_model_name(name)
    if request.best_of is not None and request.n is not None and request.best_of < request.n:
        raise Malformed("best_of must be at least n.", param="best_of")
    extra = {key: raw for key, raw in fields.items() if key not in _KNOWN and raw != _NULL}
    if request.best_of is not None and request.best_of > (request.n or 1):
        extra["best_of"] = fields["best_of"]
    return CompletionCall(
        model=name,
        prompts=_read_prompts(request),
        sampling=_read_sampling(request, fields),
        suffix=request.suffix or None,
        echo=request.echo or False,
        stream=request.stream or False,
        include_usage=request.stream_options is not None and bool(request.stream_options.include_usage),
        user=request.user or None,
        extra=extra,
    )


def _read_prompts(request: CompletionRequest) -> tuple[str, ...]:
    if isinstance(request.prompt, str):
        return (request.prompt,)
    prompts = tuple(prompt for prompt in request.prompt if isinstance(prompt, str))
    if len(prompts) != len(request.prompt):
        raise Unsupported("prompt must be text; token ids are not supported.", param="prompt")
    return prompts


def _read_sampling(request: CompletionRequest, fields: dict[str, msgspec.Raw]) -> Sampling:
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        seed=request.seed,
        stop=read_stop(request.stop),
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        max_tokens=None if request.max_tokens == -1 else request.max_tokens,
        n=request.n,
        logprobs=None if request.logprobs is None else True,
        top_logprobs=request.logprobs,
        logit_bias=None if request.logit_bias is None else fields["logit_bias"],
    )


def write_request(call: CompletionCall, model: str) -> bytes:
    """The request for an upstream, which is asked for the counts of a stream in any case."""
    sampling = call.sampling
    logprobs = sampling.top_logprobs or 0 if sampling.logprobs else None
    fields: dict[str, object] = {
        "model": model,
        "prompt": call.prompts[0] if len(call.prompts) == 1 else call.prompts,
        "suffix": call.suffix,
        "echo": call.echo or None,
        "stream": call.stream or None,
        "stream_options": StreamOptions(include_usage=True) if call.stream else None,
        **{name: getattr(sampling, name) for name in _SAME_NAME},
        "logprobs": logprobs,
        "user": call.user,
    }
    said = {name: value for name, value in fields.items() if value is not None}
    return _encode(said | {name: raw for name, raw in call.extra.items() if name not in said})
