"""Requests of clients that speak Ollama: ``/api/chat``, ``/api/generate``, ``/api/embed``, ``/api/embeddings``.

Source: Ollama's ``docs/api.md`` and ``api/types.go``. ``stream`` is true unless the client says false. Counts always
end an answer, so ``include_usage`` is true. A request without content asks to load or unload a model and is none of
these: :mod:`.client_loads` tells, and has to be asked first.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, CompletionCall, EmbeddingCall, Sampling, Tool
from pointsman.core.content import Message, Text
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.ollama.client_messages import read_image, read_messages
from pointsman.dialects.ollama.client_options import read_extra, read_format, read_reasoning, read_sampling
from pointsman.dialects.ollama.client_types import AskedTool, ChatBody, EmbedBody, GenerateBody, LegacyEmbedBody
from pointsman.dialects.openai_fields import demand_model_name
from pointsman.wire.json_fields import demand_object, read_body, read_fields

__all__ = ["read_chat_request", "read_embed_request", "read_embeddings_request", "read_generate_request"]

_decode_chat: Final = msgspec.json.Decoder(ChatBody).decode
_decode_generate: Final = msgspec.json.Decoder(GenerateBody).decode
_decode_embed: Final = msgspec.json.Decoder(EmbedBody).decode
_decode_embeddings: Final = msgspec.json.Decoder(LegacyEmbedBody).decode

_NULL: Final = msgspec.Raw(b"null")
_KNOWN_CHAT: Final = ChatBody.__struct_fields__
_KNOWN_GENERATE: Final = GenerateBody.__struct_fields__
_KNOWN_EMBED: Final = (*EmbedBody.__struct_fields__, "prompt")
_KEPT_OF_COMPLETION: Final = ("format", "raw", "system", "template", "think")
"""What a completion has no word for and Ollama, asked for one, shall be told."""

_Fields = dict[str, msgspec.Raw]


def read_chat_request(body: bytes, model: str | None = None) -> Call:
    """The body for ``/api/chat``. ``model`` is one that the path names, which wins over the body's.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
    """
    fields = read_fields(body)
    request = read_body(body, _decode_chat)
    name = _model(model, request.model)
    if not request.messages:
        raise Malformed("messages must not be empty.", param="messages")
    return Call(
        model=name,
        messages=read_messages(request.messages),
        sampling=_sampling(fields, request),
        tools=tuple(_read_tool(tool, f"tools[{index}]") for index, tool in enumerate(request.tools or ())),
        response_format=read_format(request.format),
        reasoning=read_reasoning(request.think),
        stream=request.stream is not False,
        include_usage=True,
        extra=read_extra(fields, request.options, _KNOWN_CHAT),
    )


def read_generate_request(body: bytes, model: str | None = None) -> Call | CompletionCall:
    """The body for ``/api/generate``: a chat of one turn, since the model's template is applied to the prompt.

    With ``raw``, ``template`` or ``suffix`` it is a completion, which only some upstreams can give.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
        Unsupported: ``context`` has tokens, or images go with what makes it a completion.
    """
    fields = read_fields(body)
    request = read_body(body, _decode_generate)
    name = _model(model, request.model)
    if not request.prompt and not request.images:
        raise Malformed("prompt must not be empty.", param="prompt")
    if request.context:
        raise Unsupported(
            "context holds tokens of another model's making, which cannot be given to this one.",
            hint="Use /api/chat, and send the conversation as messages.",
            param="context",
        )
    if request.raw or request.template or request.suffix:
        return _completion(fields, request, name)
    images = [read_image(image, f"images[{index}]") for index, image in enumerate(request.images or ())]
    texts = [Text(request.prompt)] if request.prompt else []
    system = [Message("system", (Text(request.system),))] if request.system else []
    return Call(
        model=name,
        messages=(*system, Message("user", (*texts, *images))),
        sampling=_sampling(fields, request),
        response_format=read_format(request.format),
        reasoning=read_reasoning(request.think),
        stream=request.stream is not False,
        include_usage=True,
        extra=read_extra(fields, request.options, _KNOWN_GENERATE),
    )


def read_embed_request(body: bytes, model: str | None = None) -> EmbeddingCall:
    """The body for ``/api/embed``.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
    """
    fields = read_fields(body)
    request = read_body(body, _decode_embed)
    name = _model(model, request.model)
    inputs = (request.input,) if isinstance(request.input, str) else tuple(request.input or ())
    for index, text in enumerate(inputs):
        if not text:
            place = f"input[{index}]" if len(inputs) > 1 else "input"
            raise Malformed(f"{place} must not be empty.", param=place)
    if not inputs:
        raise Malformed("input must not be empty.", param="input")
    if request.dimensions is not None and request.dimensions < 0:
        raise Malformed("dimensions must be at least 0.", param="dimensions")
    extra = read_extra(fields, request.options, _KNOWN_EMBED)
    return EmbeddingCall(name, inputs, dimensions=request.dimensions or None, extra=extra)


def read_embeddings_request(body: bytes, model: str | None = None) -> EmbeddingCall:
    """The body for the older ``/api/embeddings``, which takes one text, as ``prompt``.

    Raises:
        Malformed: a field is missing or of a wrong type or value; ``param`` is its path.
    """
    fields = read_fields(body)
    request = read_body(body, _decode_embeddings)
    name = _model(model, request.model)
    if not request.prompt:
        raise Malformed("prompt must not be empty.", param="prompt")
    return EmbeddingCall(name, (request.prompt,), extra=read_extra(fields, request.options, _KNOWN_EMBED))


def _model(path_model: str | None, said: str | None) -> str:
    name = path_model if path_model is not None else said
    if name is None:
        raise Malformed("model is required.", param="model")
    demand_model_name(name)
    return name


def _sampling(fields: _Fields, request: ChatBody | GenerateBody) -> Sampling:
    return read_sampling(fields, request.options, (request.logprobs, request.top_logprobs))


def _read_tool(tool: AskedTool, path: str) -> Tool:
    function = tool.function
    parameters = function.parameters
    schema = parameters if isinstance(parameters, msgspec.Raw) and parameters != _NULL else None
    if schema is not None:
        demand_object(f"{path}.function.parameters", schema)
    return Tool(function.name, function.description or None, schema)


def _completion(fields: _Fields, request: GenerateBody, name: str) -> CompletionCall:
    read_format(request.format)
    read_reasoning(request.think)
    if request.images:
        raise Unsupported("images cannot go with raw, template or suffix.", param="images")
    if request.raw and (request.template or request.system):
        raise Malformed("raw must not be combined with template or system.", param="raw")
    extra = read_extra(fields, request.options, _KNOWN_GENERATE)
    kept = {key: fields[key] for key in _KEPT_OF_COMPLETION if fields.get(key, _NULL) != _NULL}
    return CompletionCall(
        model=name,
        prompts=(request.prompt or "",),
        sampling=_sampling(fields, request),
        suffix=request.suffix or None,
        stream=request.stream is not False,
        include_usage=True,
        extra=extra | kept,
    )
