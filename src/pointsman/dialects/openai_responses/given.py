"""Items for what comes whole in an answer: code that was run, searches of the web, images.

Source: https://platform.openai.com/docs/api-reference/responses/object (output: code_interpreter_call, web_search_call,
image_generation_call) and /responses-streaming. A container that is not said marks what another provider ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from pointsman.core.content import Audio, Citation, Image, ServerToolUse
from pointsman.dialects.stream_checks import UNREADABLE
from pointsman.wire.base64_text import image_media_type

__all__ = ["API", "GIVEN", "GivenKind", "given_kind", "given_steps", "item_id", "read_given", "write_given"]

GivenKind = Literal["code_interpreter_call", "web_search_call", "image_generation_call", "native"]
GIVEN: Final = frozenset({"code_interpreter_call", "web_search_call", "image_generation_call"})
"""The types of these items; ``native`` is any other that a tool of OpenAI's own has."""

API: Final = "the Responses API"
"""Its name for people."""

_DIALECT: Final = "openai_responses"
_OTHERS: Final = frozenset({
    "code_interpreter_call", "computer_call", "file_search_call", "local_shell_call", "mcp_approval_request",
    "mcp_call", "mcp_list_tools", "tool_search_call", "web_search_call",
})  # fmt: skip


class _Log(msgspec.Struct):
    type: str = ""
    logs: str = ""


class _Source(msgspec.Struct):
    url: str = ""
    title: str | None = None


class _Action(msgspec.Struct):
    query: str | None = None
    queries: list[str] | None = None
    url: str | None = None
    sources: list[_Source] | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str = ""
    status: str | None = None
    code: str | None = None
    container_id: str | None = None
    outputs: list[_Log] | None = None
    action: _Action | None = None
    result: str | None = None
    output_format: str | None = None


_decode: Final = msgspec.json.Decoder(_Item).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_given(raw: msgspec.Raw, at: int = 0) -> Image | ServerToolUse | None:
    """What an item tells; None: it is of another type, or has nothing in it."""
    try:
        item = _decode(raw)
    except UNREADABLE:
        return None
    if item.type == "image_generation_call":
        if not item.result:
            return None
        named = f"image/{item.output_format}" if item.output_format else None
        return Image(item.result, named or image_media_type(item.result) or "image/png")
    if item.type not in _OTHERS:
        return None
    native = (msgspec.Raw(msgspec.json.format(bytes(raw), indent=-1)),)
    use = ServerToolUse(item.id, "other", at=at, native=native, dialect=_DIALECT)
    if item.type == "code_interpreter_call":
        foreign = not item.container_id
        logs = "".join(log.logs for log in item.outputs or () if log.type == "logs")
        return ServerToolUse(
            item.id, "code", item.code or "", "python", None if item.outputs is None else logs,
            item.status == "failed", at=at, native=() if foreign else native, dialect=None if foreign else _DIALECT,
        )  # fmt: skip
    if item.type == "web_search_call":
        action = item.action or _Action()
        queries = action.queries or [action.query or action.url or ""]
        found = tuple(Citation(page.url, page.title) for page in action.sources or () if page.url)
        return msgspec.structs.replace(use, kind="search", input="\n".join(queries), found=found)
    return use


def given_kind(part: Image | Audio | ServerToolUse) -> GivenKind | None:
    """The kind of its item; None: there is none, and it is passed over, or told in words if it is a sound."""
    match part:
        case Image():
            return "image_generation_call"
        case ServerToolUse(kind="code"):
            return "code_interpreter_call"
        case ServerToolUse(kind="search"):
            return "web_search_call"
        case ServerToolUse(dialect="openai_responses"):
            return "native"
        case _:
            return None


def item_id(part: Image | Audio | ServerToolUse) -> str | None:
    """The id that OpenAI gave; None where somebody else made the item."""
    return part.id or None if isinstance(part, ServerToolUse) and part.dialect == _DIALECT else None


def write_given(part: Image | Audio | ServerToolUse | None, own_id: str, *, whole: bool) -> dict[str, object]:
    """The item; not ``whole``: as it is announced."""
    status = "completed" if whole else "in_progress"
    if isinstance(part, Image):
        kind = (part.media_type or "image/png").removeprefix("image/")
        result = part.data or part.url or ""
        fields: dict[str, object] = {"result": result, "output_format": kind} if whole else {"result": None}
        return {"id": own_id, "type": "image_generation_call", "status": status, **fields}
    if not isinstance(part, ServerToolUse):
        return {}
    if part.dialect == _DIALECT and part.native and (whole or part.kind == "other"):
        return dict(_decode_fields(part.native[0]))
    if part.kind == "code":
        logs = [] if part.output is None else [{"type": "logs", "logs": part.output}]
        said = {"code": part.input if whole else "", "container_id": "", "outputs": logs if whole else []}
        return {"id": own_id, "type": "code_interpreter_call", "status": status, **said}
    queries = part.input.splitlines() or [""]
    action: dict[str, object] = {"type": "search", "query": queries[0], "queries": queries}
    if part.found:
        action["sources"] = [{"type": "url", "url": page.url or ""} for page in part.found]
    return {"id": own_id, "type": "web_search_call", "status": status, "action": action}


def given_steps(
    part: Image | Audio | ServerToolUse | None, kind: str, *, coded: bool = False
) -> Iterator[tuple[str, dict[str, object]]]:
    """The events between an item's beginning and its end: their names and what they say beside its place.

    ``coded``: the first of them and the code were told already.
    """
    if kind == "native":
        return
    name = f"response.{kind}"
    if not coded:
        yield f"{name}.in_progress", {}
    if kind == "code_interpreter_call" and isinstance(part, ServerToolUse):
        if part.input and not coded:
            yield f"{name}_code.delta", {"delta": part.input}
        yield f"{name}_code.done", {"code": part.input}
        yield f"{name}.interpreting", {}
    else:
        yield f"{name}.{'searching' if kind == 'web_search_call' else 'generating'}", {}
    yield f"{name}.completed", {}
