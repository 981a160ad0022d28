"""The facts of one model, in this gateway's words, and how they are called in LiteLLM's price map."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.price import Price

__all__ = ["CAPABILITY_FLAGS", "ModelFacts"]


class ModelFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known about a model; None and an absent capability mean "nobody said".

    Attributes:
        key: The row's name in the catalogue (lower case), or the model's own name if there is no row.
        source: Who says so: ``litellm 1.109.1``, ``genai-prices 0.2.3``, ``local``, ``operator``; or the
            first with `` + operator`` behind it.
        context_tokens: The longest prompt, in tokens.
        output_tokens_max: The longest completion, in tokens.
        mode: What it is for: ``chat``, ``completion``, ``embedding``, ``responses``, ``rerank``, …
        capabilities: Values of :data:`CAPABILITY_FLAGS`.
        price: None if unknown, or if it is charged by what nobody counts here.
    """

    key: str
    source: str
    context_tokens: int | None = None
    output_tokens_max: int | None = None
    mode: str | None = None
    capabilities: frozenset[str] = frozenset()
    price: Price | None = None


CAPABILITY_FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "supports_assistant_prefill": "assistant_prefill",
        "supports_audio_input": "audio_input",
        "supports_audio_output": "audio_output",
        "supports_computer_use": "computer_use",
        "supports_function_calling": "tools",
        "supports_native_streaming": "native_streaming",
        "supports_parallel_function_calling": "parallel_tools",
        "supports_pdf_input": "pdf_input",
        "supports_prompt_caching": "prompt_caching",
        "supports_reasoning": "reasoning",
        "supports_response_schema": "response_schema",
        "supports_system_messages": "system_messages",
        "supports_tool_choice": "tool_choice",
        "supports_url_context": "url_context",
        "supports_video_input": "video_input",
        "supports_vision": "vision",
        "supports_web_search": "web_search",
    }
)
"""LiteLLM's ``model_info`` flag → our capability. The file keeps capabilities as bits in the order that
its own header gives, so this table may change without a new file."""
