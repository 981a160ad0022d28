"""What of a request reaches LiteLLM's library: its functions take settings and request fields as one set of arguments.

Among those are addresses, credentials, files, callbacks and answers that are made up (``api_base``, ``api_key``,
``vertex_credentials``, ``success_callback``, ``mock_response``), so only what is known to be a model's parameter
passes; anything else is the operator's to set. Source: https://docs.litellm.ai/docs/completion/input.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment

__all__ = ["asked_fields"]

_ASKABLE: Final = frozenset({
    # OpenAI's
    "audio", "best_of", "dimensions", "echo", "encoding_format", "frequency_penalty", "function_call", "functions",
    "input", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "modalities", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt", "reasoning_effort", "response_format", "seed",
    "service_tier", "stop", "stream", "stream_options", "suffix", "temperature", "tool_choice", "tools",
    "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    # those of many providers
    "frequency_penality", "guided_choice", "guided_grammar", "guided_json", "guided_regex", "ignore_eos", "input_type",
    "length_penalty", "max_new_tokens", "min_p", "min_tokens", "mirostat", "mirostat_eta", "mirostat_tau",
    "num_beams", "prefix", "random_seed", "reasoning", "repeat_penalty", "repetition_penalty", "safe_prompt",
    "safety_settings", "skip_special_tokens", "stop_sequences", "stop_token_ids", "task_type", "thinking", "tfs_z",
    "top_a", "top_k", "truncate", "typical_p",
})  # fmt: skip
_ADDRESSED: Final = frozenset(
    {"file_data", "file_id", "file_url", "image_url", "input_audio", "uri", "url", "video_url"}
)
"""Where a message may name what a provider, or the library itself from this machine, would have to fetch."""
_CITED: Final = "annotations"
"""Where an answer that a client sends back names the pages that it cites; nobody fetches those."""

_decode_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode: Final = msgspec.json.Decoder().decode


def asked_fields(body: bytes, deployment: Deployment) -> dict[str, Any]:
    """The fields of a request and of the operator that are handed on, decoded.

    Raises:
        Unsupported: a message names an address, which the library might fetch from within the operator's network.
    """
    asked = {name: value for name, value in _decode_fields(body).items() if name in _ASKABLE}
    _demand_no_address(asked.get("messages"), "messages")
    operators = {name: _decode(raw) for name, raw in deployment.pinned.items() if name not in _ASKABLE}
    return {**asked, **operators}


def _demand_no_address(value: object, path: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _demand_no_address(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == _CITED:
                continue
            if name in _ADDRESSED and isinstance(item, str) and _is_address(item):
                raise Unsupported(
                    f"{path}.{name}: this provider cannot be sent the address of a file here.",
                    hint="Send the file itself, as a data: URL.",
                    param=f"{path}.{name}",
                )
            _demand_no_address(item, f"{path}.{name}")


def _is_address(text: str) -> bool:
    start = text.lstrip()[:5].lower()
    return start != "data:" and (":" in text[:64] or text.lstrip().startswith(("/", ".", "~", "\\")))
