"""What Anthropic's own tools did: blocks for their use and for its result, to and from the common vocabulary.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool, …/web-search-tool, and
https://platform.claude.com/docs/en/agents-and-tools/mcp-connector.

What tools of other providers did is told in the same form. An id of our own marks it, so that it is not taken for
Anthropic's when it comes back: results of a search are worth nothing there without what Anthropic encrypted in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pointsman.core.content import Citation, ServerToolUse
from pointsman.core.events import CodeDelta
from pointsman.dialects.code_pieces import TextPieces
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["API", "CODE_NAME", "ServerBlock", "ServerToolReader", "code_start", "is_result", "is_use", "server_blocks"]

API: Final = "Anthropic's API"
"""Its name for people."""

CODE_NAME: Final = "code_execution"
"""The name of the tool that runs Python."""

_DIALECT: Final = "anthropic_messages"
_USES: Final = frozenset({"server_tool_use", "mcp_tool_use"})
_RESULT: Final = "_tool_result"
_FOREIGN: Final = "srvtoolu_other_"
_SEARCH: Final = "web_search"
_BASH: Final = "bash_code_execution"
_NOTHING: Final = msgspec.Raw(b"{}")


class _Input(msgspec.Struct):
    query: str = ""
    code: str = ""
    command: str = ""


class _Use(msgspec.Struct):
    id: str = ""
    name: str = ""
    type: str = ""
    input: msgspec.Raw = _NOTHING


class _Outcome(msgspec.Struct):
    type: str = ""
    stdout: str = ""
    stderr: str = ""
    return_code: int = 0


class _Found(msgspec.Struct):
    url: str = ""
    title: str | None = None


class _Result(msgspec.Struct):
    tool_use_id: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


_encode: Final = msgspec.json.Encoder().encode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_use: Final = msgspec.json.Decoder(_Use).decode
_decode_input: Final = msgspec.json.Decoder(_Input).decode
_decode_result: Final = msgspec.json.Decoder(_Result).decode
_decode_outcome: Final = msgspec.json.Decoder(_Outcome).decode
_decode_found: Final = msgspec.json.Decoder(list[_Found]).decode


def is_use(kind: str) -> bool:
    """Whether a block of this type tells that a tool of Anthropic's is used."""
    return kind in _USES


def is_result(kind: str) -> bool:
    """Whether a block of this type tells what it gave."""
    return kind.endswith(_RESULT)


class _OpenUse(msgspec.Struct):
    """A use whose input is coming."""

    block: msgspec.Raw
    pieces: list[str] = []
    code: TextPieces = msgspec.field(default_factory=TextPieces)


class ServerToolReader:
    """Puts uses and their results together; those that cannot be read are passed over."""

    __slots__ = ("_open", "_used")

    def __init__(self) -> None:
        self._open: dict[int, _OpenUse] = {}
        self._used: dict[str, tuple[_Use, msgspec.Raw, int]] = {}

    @property
    def waits(self) -> bool:
        """Whether the result of a use has not come yet."""
        return bool(self._used)

    @property
    def open(self) -> tuple[int, ...]:
        """Where uses are whose input has not ended."""
        return tuple(self._open)

    def opened(self, block: msgspec.Raw, index: int) -> None:
        """A use begins."""
        self._open[index] = _OpenUse(block)

    def more(self, partial_json: str, index: int, at: int) -> CodeDelta | None:
        """More of the input of the use at ``index``, behind ``at`` characters of the answer's text; None: no code."""
        found = self._open.get(index)
        if found is None:
            return None
        found.pieces.append(partial_json)
        text = found.code.feed(partial_json)
        return CodeDelta(_code_use(found.block, text, at)) if text else None

    def closed(self, index: int, at: int) -> CodeDelta | None:
        """The end of the block at ``index``; what it leaves of its code."""
        found = self._open.pop(index, None)
        if found is None:
            return None
        try:
            block = _with_input(found.block, "".join(found.pieces))
            use = _decode_use(block)
        except UNREADABLE:
            return CodeDelta(_code_use(found.block, "", at), complete=True) if found.code.told else None
        self._used[use.id] = (use, block, at)
        whole = _read(use, at, (), None)
        if whole.kind != "code" or not found.pieces:
            return None
        return CodeDelta(_code_use(found.block, found.code.left(whole.input), at), complete=True)

    def result(self, block: msgspec.Raw) -> ServerToolUse | None:
        """The use that a result belongs to, with it; None: there is none."""
        try:
            result = _decode_result(block)
            use, raw, at = self._used.pop(result.tool_use_id)
        except (*UNREADABLE, KeyError):
            return None
        return _read(use, at, (raw, _compact(block)), result.content)

    def rest(self) -> Iterator[ServerToolUse]:
        """The uses whose results have not come, as where a turn was paused."""
        used, self._used = self._used, {}
        for use, raw, at in used.values():
            yield _read(use, at, (raw,), None)


def _code_use(block: msgspec.Raw, text: str, at: int) -> ServerToolUse:
    """A use that began with ``block``, with so much of its code."""
    use = _decode_use(block)
    whole = _read(use, at, (_compact(block),), None)
    return msgspec.structs.replace(whole, input=text)


def _with_input(raw: msgspec.Raw, pieces: str) -> msgspec.Raw:
    fields = _decode_fields(raw)
    if pieces:
        fields["input"] = msgspec.Raw(pieces.encode())
    return _compact(msgspec.Raw(_encode(fields)))


def _compact(raw: msgspec.Raw) -> msgspec.Raw:
    """Without line breaks, which the data of an event cannot have."""
    return msgspec.Raw(msgspec.json.format(bytes(raw), indent=-1))


def _read(use: _Use, at: int, native: tuple[msgspec.Raw, ...], result: msgspec.Raw | None) -> ServerToolUse:
    foreign = use.id.startswith(_FOREIGN)
    told = ServerToolUse(
        use.id, "other", at=at, native=() if foreign else native, dialect=None if foreign else _DIALECT
    )
    try:
        given = _decode_input(use.input)
    except UNREADABLE:
        given = _Input()
    if use.type == "server_tool_use" and use.name == _SEARCH:
        return msgspec.structs.replace(told, kind="search", input=given.query, found=_found(result))
    if use.type == "server_tool_use" and use.name in {CODE_NAME, _BASH}:
        language = "bash" if use.name == _BASH else "python"
        code = given.command or given.code
        output, failed = _outcome(result)
        return msgspec.structs.replace(told, kind="code", input=code, language=language, output=output, failed=failed)
    return told


def _found(result: msgspec.Raw | None) -> tuple[Citation, ...]:
    try:
        return tuple(Citation(page.url, page.title) for page in _decode_found(result or b"[]") if page.url)
    except UNREADABLE:
        return ()


def _outcome(result: msgspec.Raw | None) -> tuple[str | None, bool]:
    if result is None:
        return None, False
    try:
        outcome = _decode_outcome(result)
    except UNREADABLE:
        return None, True
    return outcome.stdout + outcome.stderr, outcome.return_code != 0 or outcome.type.endswith("_error")


class ServerBlock(msgspec.Struct, frozen=True):
    """A block for a client: whole, as a stream begins it, and what the stream then says of its input."""

    whole: msgspec.Raw
    start: bytes
    input: str = ""


def code_start(use: ServerToolUse) -> tuple[bytes, str]:
    """How a stream begins the block for a use of which only the code is known, and how its input begins."""
    raws = list(use.native) if use.dialect == _DIALECT else _foreign_blocks(use)
    key = "command" if use.language == "bash" and use.dialect == _DIALECT else "code"
    return _block(raws[0]).start, f'{{"{key}":"'


def server_blocks(use: ServerToolUse) -> list[ServerBlock]:
    """The blocks for what a tool did; none where it did what Anthropic has no block for."""
    raws: Iterable[msgspec.Raw] = use.native if use.dialect == _DIALECT else _foreign_blocks(use)
    return [_block(raw) for raw in raws]


def _block(raw: msgspec.Raw) -> ServerBlock:
    fields = _decode_fields(raw)
    given = fields.get("input")
    if given is None:
        return ServerBlock(raw, bytes(raw))
    start = _encode({**fields, "input": _NOTHING})
    return ServerBlock(raw, start, "" if given == _NOTHING else bytes(given).decode())


def _foreign_blocks(use: ServerToolUse) -> list[msgspec.Raw]:
    if use.kind == "other":
        return []
    use_id = use.id if use.id.startswith(_FOREIGN) else _FOREIGN + "".join(filter(str.isalnum, use.id))
    name = CODE_NAME if use.kind == "code" else _SEARCH
    given = {"code": use.input} if use.kind == "code" else {"query": use.input}
    blocks: list[object] = [{"type": "server_tool_use", "id": use_id, "name": name, "input": given}]
    if use.kind == "search":
        found = [
            {"type": "web_search_result", "url": page.url or "", "title": page.title or "", "encrypted_content": "",
             "page_age": None}
            for page in use.found
        ]  # fmt: skip
        blocks.append({"type": "web_search_tool_result", "tool_use_id": use_id, "content": found})
    elif use.output is not None:
        result = {
            "type": "code_execution_result", "stdout": "" if use.failed else use.output,
            "stderr": use.output if use.failed else "", "return_code": int(use.failed), "content": [],
        }  # fmt: skip
        blocks.append({"type": "code_execution_tool_result", "tool_use_id": use_id, "content": result})
    return [msgspec.Raw(_encode(block)) for block in blocks]
