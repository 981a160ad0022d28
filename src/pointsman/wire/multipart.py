"""``multipart/form-data``: a strict reader that takes a body in any pieces, and the writer.

Formats: RFC 7578 (form-data), RFC 2046 section 5.1 (boundaries), and for escapes in names what browsers do:
https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data.

Two parsers that disagree about a form are a hole: one could see another ``model`` than the one that was paid for. So
whatever has two readings is refused (text before the first boundary, bare line feeds, a parameter twice, a transfer
encoding), and who sends a form on writes it anew with a boundary of his own; only the contents of the parts stay as
they are, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import Malformed

__all__ = ["PARTS_MAX", "Form", "FormPart", "MultipartReader", "encode_form", "opening_boundary", "read_form"]

PARTS_MAX: Final = 256
"""Sixteen images and a few dozen fields are the most that any API takes."""

_NAME_BYTES_MAX: Final = 512
_HEAD_BYTES_MAX: Final = 8 * 1024
_HEADER_LINES_MAX: Final = 8
_BOUNDARY_BYTES_MAX: Final = 70
_EPILOGUE_BYTES_MAX: Final = 4
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
"""RFC 2046, section 5.1.1: up to 70 of these, the last no space."""
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf'[ \t]*;[ \t]*({_WORD})=(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r'\\(["\\])')
_CONTENT_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}[ -~]*")
_PLAIN_ENCODINGS: Final = frozenset({"binary", "8bit", "7bit"})
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\\": "%5C"})
_HINT: Final = "Send multipart/form-data as RFC 7578 has it; every HTTP library does."


class FormPart(msgspec.Struct, frozen=True):
    """One field. It is a file if it has a ``filename``; ``content_type`` is what its sender says of ``value``."""

    name: str
    value: bytes
    filename: str | None = None
    content_type: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it was sent as a file."""
        return self.filename is not None


class Form(msgspec.Struct, frozen=True):
    """A whole form, its parts in their order."""

    parts: tuple[FormPart, ...]

    def files(self, *names: str) -> tuple[FormPart, ...]:
        """The files under any of these names."""
        return tuple(part for part in self.parts if part.is_file and part.name in names)

    def text(self, name: str) -> str | None:
        """The one text field of this name, or None.

        Raises:
            Malformed: it is there twice, is a file, or is not UTF-8.
        """
        found = [part for part in self.parts if part.name == name]
        if not found:
            return None
        if len(found) > 1:
            raise Malformed(f"{name} must be there once, not {len(found)} times.", param=name)
        if found[0].is_file:
            raise Malformed(f"{name} must be a text, not a file.", param=name)
        try:
            return found[0].value.decode()
        except UnicodeDecodeError:
            raise Malformed(f"{name} must be UTF-8.", param=name) from None


class MultipartReader:
    """Takes a form apart, whatever pieces its bytes come in. Work and memory are linear in the input."""

    __slots__ = ("_buffer", "_delimiter", "_head", "_parts", "_state", "_value")

    def __init__(self, boundary: bytes) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise _flaw("its boundary is none")
        self._delimiter = b"\r\n--" + boundary
        # With a line end before it, the first delimiter is one like the others.
        self._buffer = bytearray(b"\r\n")
        self._head: FormPart | None = None
        self._value: list[bytes] = []
        self._parts: list[FormPart] = []
        self._state: Callable[[], bool] = self._in_value

    def feed(self, data: bytes) -> None:
        """More of the body.

        Raises:
            Malformed: it is no form, or one that two readers could understand differently.
        """
        self._buffer += data
        while self._state():
            pass

    def end(self) -> Form:
        """The form, once all of it was fed.

        Raises:
            Malformed: its end is missing, or a field has a bad name.
        """
        if self._state != self._behind_the_end:
            where = f" in the middle of {self._head.name}" if self._head is not None else ""
            raise _flaw(f"it ends{where}, without its last boundary", self._head)
        return Form(tuple(self._parts))

    def _in_value(self) -> bool:
        """Content up to the next delimiter; before the first there must be none."""
        buffer, delimiter = self._buffer, self._delimiter
        place = buffer.find(delimiter)
        size = place if place >= 0 else len(buffer) - len(delimiter) + 1
        if size > 0:
            if self._head is None:
                raise _flaw("there is something before its first boundary")
            self._value.append(bytes(buffer[:size]))
            del buffer[:size]
        if place < 0:
            return False
        del buffer[: len(delimiter)]
        if self._head is not None:
            self._parts.append(msgspec.structs.replace(self._head, value=b"".join(self._value)))
            self._head = None
            self._value = []
        self._state = self._behind_delimiter
        return True

    def _behind_delimiter(self) -> bool:
        mark = bytes(self._buffer[:2])
        if len(mark) < len(b"--"):
            return False
        if mark not in (b"--", b"\r\n"):
            raise _flaw("a boundary is followed by something that is no end of a line")
        del self._buffer[:2]
        self._state = self._behind_the_end if mark == b"--" else self._in_head
        return True

    def _in_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end > _HEAD_BYTES_MAX or (end < 0 and len(self._buffer) > _HEAD_BYTES_MAX):
            raise _flaw(f"the head of a part is longer than {_HEAD_BYTES_MAX} bytes")
        if self._buffer.startswith(b"\r\n"):
            raise _flaw("a part has no Content-Disposition")
        if end < 0:
            return False
        if len(self._parts) >= PARTS_MAX:
            raise _flaw(f"it has more than {PARTS_MAX} parts")
        self._head = _read_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        self._state = self._in_value
        return True

    def _behind_the_end(self) -> bool:
        if len(self._buffer) > _EPILOGUE_BYTES_MAX or bytes(self._buffer).strip(b"\r\n"):
            raise _flaw("there is something behind its last boundary")
        return False


def opening_boundary(body: bytes) -> bytes | None:
    """The boundary with which a body opens, or None: it is no form.

    The Content-Type names it as well; but it can only be this one, since nothing may stand before the first.
    """
    if not body.startswith(b"--"):
        return None
    end = body.find(b"\r\n", 0, _BOUNDARY_BYTES_MAX + 4)
    boundary = body[2:end] if end > 0 else b""
    return boundary if _BOUNDARY.fullmatch(boundary) else None


def read_form(body: bytes) -> Form:
    """A whole body.

    Raises:
        Malformed: it is no form; where one field is at fault, ``param`` names it.
    """
    boundary = opening_boundary(body)
    if boundary is None:
        raise Malformed("The request body must be multipart/form-data.", hint=_HINT)
    reader = MultipartReader(boundary)
    reader.feed(body)
    return reader.end()


def encode_form(parts: tuple[FormPart, ...], boundary: bytes) -> bytes:
    """The form on the wire. No value may hold the boundary, so it has to be one that nobody can foresee."""
    pieces: list[bytes] = []
    for part in parts:
        line = f'Content-Disposition: form-data; name="{part.name.translate(_ESCAPES)}"'
        if part.filename is not None:
            line += f'; filename="{part.filename.translate(_ESCAPES)}"'
        if part.content_type is not None:
            line += f"\r\nContent-Type: {part.content_type}"
        pieces += (b"--", boundary, b"\r\n", line.encode(), b"\r\n\r\n", part.value, b"\r\n")
    return b"".join((*pieces, b"--", boundary, b"--\r\n"))


def _read_head(raw: bytes) -> FormPart:
    """The head of a part, its value still to come."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _flaw("the head of a part is not UTF-8") from None
    lines = text.split("\r\n")
    if len(lines) > _HEADER_LINES_MAX or any(line[:1] in " \t" for line in lines):
        raise _flaw("the head of a part has too many lines, or a folded one")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not re.fullmatch(_WORD, name) or name in headers or not _is_one_line(value):
            raise _flaw("the head of a part has a line that is no header")
        headers[name] = value.strip(" \t")
    part = _read_disposition(headers.get("content-disposition", ""))
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise _flaw("it must be sent as it is, without a Content-Transfer-Encoding", part)
    content_type = headers.get("content-type")
    if content_type is not None and not _CONTENT_TYPE.fullmatch(content_type):
        raise _flaw("its Content-Type is none", part)
    return msgspec.structs.replace(part, content_type=content_type)


def _read_disposition(value: str) -> FormPart:
    kind, _, _ = value.partition(";")
    given: dict[str, str] = {}
    place = len(kind)
    while place < len(value):
        match = _PARAMETER.match(value, place)
        if match is None or match[1].lower() in given:
            raise _flaw("a Content-Disposition cannot be read, or says something twice")
        quoted = match[2]
        given[match[1].lower()] = match[3] if quoted is None else _ESCAPE.sub(r"\1", quoted)
        place = match.end()
    if kind.strip(" \t").lower() != "form-data" or not given.keys() <= {"name", "filename", "filename*"}:
        raise _flaw("a Content-Disposition is not form-data with a name and perhaps a filename")
    name = _unescaped(given.get("name", ""))
    if not name or len(name.encode()) > _NAME_BYTES_MAX or not name.isprintable():
        raise _flaw(f"a part has no name, or none of at most {_NAME_BYTES_MAX} bytes that prints")
    filename = given.get("filename")
    if "filename*" in given:
        # RFC 7578 forbids it; older Python clients send it for names beyond ASCII all the same.
        filename = _percent_decoded(given["filename*"])
    if filename is not None and len(filename.encode("utf-8", "replace")) > _NAME_BYTES_MAX:
        raise Malformed(f"{name} has a filename longer than {_NAME_BYTES_MAX} bytes.", param=name)
    return FormPart(name, b"", None if filename is None else _unescaped(filename))


def _percent_decoded(value: str) -> str:
    """An extended value of RFC 5987; any but UTF-8 is not guessed at."""
    text = re.sub(r"^utf-8'[^']*'", "", value, flags=re.IGNORECASE).encode()
    return _PERCENT.sub(lambda match: bytes.fromhex(match[1].decode()), text).decode("utf-8", "replace")


def _unescaped(text: str) -> str:
    """A name as it was before a browser wrote it."""
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _is_one_line(text: str) -> bool:
    return not any(character < " " and character != "\t" for character in text) and "\x7f" not in text


def _flaw(what: str, part: FormPart | None = None) -> Malformed:
    if part is not None:
        return Malformed(f"{part.name} is not a field of a form: {what}.", hint=_HINT, param=part.name)
    return Malformed(f"The request body is not valid multipart/form-data: {what}.", hint=_HINT)
