"""Field names in snake case as the camel case that the rest of this dialect reads.

The JSON of a protocol buffer may have either (https://protobuf.dev/programming-guides/json/, "Field names"), and some
clients write ``system_instruction`` or ``inline_data``. What belongs to the client, such as a function's arguments, is
left alone.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["camel_name", "with_camel_names"]

_NAMES: Final = (
    "allowed_function_names", "block_reason", "cached_content", "candidate_count", "code_execution",
    "code_execution_result", "computer_use", "display_name", "enterprise_web_search", "executable_code", "file_data",
    "file_search", "file_uri", "frequency_penalty", "function_call", "function_calling_config",
    "function_declarations", "function_response", "generate_content_request", "generation_config", "google_maps",
    "google_search", "google_search_retrieval", "image_config", "include_thoughts", "inline_data",
    "max_output_tokens", "media_resolution", "mime_type", "output_dimensionality",
    "parameters_json_schema", "presence_penalty", "response_json_schema", "response_logprobs", "response_mime_type",
    "response_modalities", "response_schema", "safety_settings", "service_tier", "speech_config", "stop_sequences",
    "system_instruction", "task_type", "thinking_budget", "thinking_config", "thinking_level", "thought_signature",
    "tool_config", "top_k", "top_p", "url_context", "video_metadata",
)  # fmt: skip
_SNAKE: Final = re.compile(rb'"(?:' + "|".join(_NAMES).encode() + rb')"\s*:')
_OPAQUE: Final = frozenset({
    "args", "labels", "parameters", "parametersJsonSchema", "partMetadata", "response", "responseJsonSchema",
    "responseSchema",
})  # fmt: skip
"""Fields whose content is the client's own, or a schema, which :mod:`.schemas` reads in both spellings."""

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def camel_name(name: str) -> str:
    """``top_p`` as ``topP``; a name that is none of Gemini's stays as it is."""
    if name not in _NAMES:
        return name
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def with_camel_names(body: bytes) -> bytes:
    """The body with Gemini's names in camel case; where all of them are, which is nearly always, the body itself.

    A body that is not JSON is given back as it is; whoever reads it says what is wrong.
    """
    if _SNAKE.search(body) is None:
        return body
    try:
        return _rename(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body


def _rename(raw: bytes) -> bytes:
    first = raw.lstrip()[:1]
    if first == b"{":
        fields: dict[str, msgspec.Raw] = {}
        for name, value in _decode_fields(raw).items():
            renamed = camel_name(name)
            fields[renamed] = value if renamed in _OPAQUE else msgspec.Raw(_rename(bytes(value)))
        return _encode(fields)
    if first == b"[":
        return _encode([msgspec.Raw(_rename(bytes(item))) for item in _decode_items(raw)])
    return raw
