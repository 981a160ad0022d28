"""Tools of providers that a client of OpenAI's chat offers: whose they are, and who has something like them.

Clients of LiteLLM put them into ``tools`` in the form of the provider that they mean
(https://docs.litellm.ai/docs/providers/anthropic, …/providers/gemini). They go to that provider as they are; a search
of the web and code that is run go to whoever has such a tool. Anything else is refused by its name, since whoever
wrote it meant it, unlike agents, which offer theirs to everybody (:mod:`.tools`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.call import Call, Tool
from pointsman.core.errors import Malformed, Unsupported
from pointsman.core.secret import Secret
from pointsman.dialects.anthropic_messages.tools import DIALECT as ANTHROPIC
from pointsman.dialects.anthropic_messages.tools import read_tools as read_anthropic
from pointsman.dialects.gemini.client_requests import native_tool
from pointsman.dialects.gemini.names import camel_name
from pointsman.dialects.openai_chat.tools import DIALECT as CHAT
from pointsman.dialects.openai_responses.tools import DIALECT as RESPONSES
from pointsman.dialects.openai_responses.tools import read_tools as read_responses

__all__ = ["IMAGE_TOOL", "beta_header", "claimed", "makes_images"]

_TITLES: Final = MappingProxyType({
    ANTHROPIC: "Anthropic", RESPONSES: "OpenAI's Responses API", "gemini": "Gemini", "bedrock_converse": "Bedrock",
    "cohere_chat": "Cohere", "mistral": "Mistral", "ollama": "Ollama",
})  # fmt: skip

_DATED: Final = re.compile(r"([a-z_]+)_(20\d{6})")
"""Only Anthropic's types end with a day: ``computer_20250124``."""
_MCP_TOOLS: Final = "mcp_toolset"
_TOOLSET: Final = re.compile(r"[a-z_]+_toolset_\d+")
"""Several tools in one, which have names of their own."""
_EDITOR: Final = "text_editor"
_EDITOR_RENAMED: Final = "20250429"
_FUNCTION: Final = "function"

_GEMINIS: Final = frozenset({
    "codeExecution", "computerUse", "enterpriseWebSearch", "fileSearch", "googleMaps", "googleSearch",
    "googleSearchRetrieval", "retrieval", "urlContext",
})  # fmt: skip
_SEARCH: Final = "web_search"
_RESPONSES: Final = frozenset({"code_interpreter", "file_search", "image_generation", "mcp"})
_CLIENTS_WORK: Final = frozenset({
    "apply_patch", "computer", "computer_use_preview", "local_shell", "programmatic_tool_calling", "shell",
    "tool_search",
})  # fmt: skip
"""Tools of the Responses API whose calls the client has to carry out, for which a chat has no form."""

_BETAS: Final[Mapping[str, str]] = MappingProxyType({
    "computer_20241022": "computer-use-2024-10-22",
    "bash_20241022": "computer-use-2024-10-22",
    "text_editor_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "code_execution_20250522": "code-execution-2025-05-22",
    "code_execution_20250825": "code-execution-2025-08-25",
    "web_fetch_20250910": "web-fetch-2025-09-10",
    "memory_20250818": "context-management-2025-06-27",
    "tool_search_tool_regex_20251119": "advanced-tool-use-2025-11-20",
    "tool_search_tool_bm25_20251119": "advanced-tool-use-2025-11-20",
    "advisor_20260301": "advisor-tool-2026-03-01",
    "mcp_toolset": "mcp-client-2025-11-20",
})  # fmt: skip
"""What Anthropic wants in ``anthropic-beta`` beside a tool; https://platform.claude.com/docs/en/agents-and-tools/tool-use."""


IMAGE_TOOL: Final = Tool("image_generation", native=msgspec.Raw(b'{"type":"image_generation"}'), dialect=RESPONSES)
"""The tool of the Responses API with which a model gives images."""


class _Kind(msgspec.Struct):
    type: str | None = None


_decode_kind: Final = msgspec.json.Decoder(_Kind).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def claimed(call: Call, dialect: str, *, drop_params: bool = False) -> Call:
    """The request with the chat's native tools as those of the dialects whose they are.

    Args:
        call: What the client wants.
        dialect: The upstream's; its own tools, and those that it has something like, are kept.
        drop_params: Leave out the others instead of refusing.

    Raises:
        Malformed: a tool lacks a field, in the words of its own dialect.
        Unsupported: a tool that the upstream has nothing like; the message names it.
    """
    if not call.tools or not any(tool.native is not None and tool.dialect == CHAT for tool in call.tools):
        return call
    tools: list[Tool] = []
    for position, tool in enumerate(call.tools):
        tools += _claim(tool, dialect, position, drop_params=drop_params)
    choice = call.tool_choice
    if choice is not None and (
        not tools or (choice.mode == "named" and choice.name not in {one.name for one in tools})
    ):
        choice = None
    return msgspec.structs.replace(call, tools=tuple(tools), tool_choice=choice)


def _claim(tool: Tool, dialect: str, position: int, *, drop_params: bool) -> list[Tool]:
    if tool.native is None or tool.dialect != CHAT:
        return [tool]
    if tool.parameters is not None:
        whole = _custom(tool, tool.native) if dialect == RESPONSES else None
        return [whole or msgspec.structs.replace(tool, native=None, dialect=None)]
    try:
        found = _owned(tool.native)
    except Malformed as wrong:
        raise _at(wrong, position) from None
    kept = [one for one in found if one.dialect == dialect or one.search is not None or one.runs_code]
    if (found and len(kept) == len(found)) or drop_params:
        return kept
    place = f"tools[{position}]"
    if _decode_kind(tool.native).type in _CLIENTS_WORK:
        raise Unsupported(
            f"{place}: calls of '{tool.name[:80]}', a tool of OpenAI's Responses API, have no place in a chat.",
            hint="Use /v1/responses for it.",
            param=place,
        )
    owner = _TITLES[found[0].dialect or ""] if found else "another provider"
    raise Unsupported(
        f"{place}: '{tool.name[:80]}' is a tool of {owner}; {_TITLES.get(dialect, dialect)} has nothing like it.",
        hint="Leave it out, ask a model of that provider, or let the operator set drop_params: true.",
        param=place,
    )


def _owned(native: msgspec.Raw) -> list[Tool]:
    """The tools in the dialect whose they are; empty: nobody's."""
    kind = _decode_kind(native).type
    if kind is not None and (kind == _MCP_TOOLS or _DATED.fullmatch(kind)):
        return list(read_anthropic([_anthropics(native, kind)]))
    fields = {camel_name(name): raw for name, raw in _decode_fields(native).items() if name != "type"}
    if kind == "computer_use":
        return [native_tool("computerUse", msgspec.Raw(_encode(fields)))]
    if fields and fields.keys() <= _GEMINIS:
        return [native_tool(name, raw) for name, raw in fields.items()]
    if kind is not None and (kind in _RESPONSES or kind.startswith(_SEARCH)):
        return list(read_responses([native]))
    return []


def _anthropics(native: msgspec.Raw, kind: str) -> msgspec.Raw:
    """A tool of Anthropic's with its name; clients of LiteLLM put its other fields into ``function.parameters``."""
    fields = _decode_fields(native)
    wrapped = fields.pop(_FUNCTION, None)
    if wrapped is not None:
        inner = _decode_fields(wrapped)
        given = inner.pop("parameters", None)
        fields |= {**inner, **({} if given is None else _decode_fields(given))}
    if kind != _MCP_TOOLS and not _TOOLSET.fullmatch(kind):
        fields.setdefault("name", msgspec.Raw(_encode(_name_of(kind))))
    return msgspec.Raw(_encode(fields))


def _name_of(kind: str) -> str:
    """The name that Anthropic demands for a type of tool."""
    base, _, day = kind.rpartition("_")
    if base != _EDITOR:
        return base
    return "str_replace_based_edit_tool" if day >= _EDITOR_RENAMED else "str_replace_editor"


def _custom(tool: Tool, native: msgspec.Raw) -> Tool:
    """A custom tool in the form of the Responses API, where its fields and its grammar lie one level higher."""
    fields = _decode_fields(_decode_fields(native)["custom"])
    shape = fields.get("format")
    if shape is not None and b'"grammar"' in bytes(shape):
        inner = _decode_fields(shape)
        grammar = inner.pop("grammar", None)
        if grammar is not None:
            fields["format"] = msgspec.Raw(_encode({**inner, **_decode_fields(grammar)}))
    whole = msgspec.Raw(_encode({"type": "custom", **fields}))
    return msgspec.structs.replace(tool, native=whole, dialect=RESPONSES)


def _at(wrong: Malformed, position: int) -> Malformed:
    """The error of the only tool that a dialect was shown, at its place in the request."""
    place = f"tools[{position}]"
    return Malformed(
        wrong.message.replace("tools[0]", place),
        hint=wrong.hint,
        param=(wrong.param or place).replace("tools[0]", place),
    )


def makes_images(tool: Tool) -> bool:
    """Whether it is the tool of the Responses API with which a model gives images."""
    return tool.name == IMAGE_TOOL.name and tool.native is not None and tool.dialect == RESPONSES


def beta_header(before: Call, after: Call) -> tuple[tuple[str, Secret], ...]:
    """The header that Anthropic wants for tools which a request got on its way from ``before`` to ``after``.

    A client of Anthropic's own sends the header that goes with the tools that it brings.
    """
    if not after.tools:
        return ()
    brought = [tool.native for tool in before.tools if tool.dialect == ANTHROPIC]
    kinds = [
        _decode_kind(tool.native).type or ""
        for tool in after.tools
        if tool.native is not None and tool.dialect == ANTHROPIC and tool.native not in brought
    ]
    features = dict.fromkeys(_BETAS[kind] for kind in kinds if kind in _BETAS)
    return (("anthropic-beta", Secret(",".join(features))),) if features else ()
