"""Fetches images and documents that clients name by URL, without becoming a door into the operator's network.

A gateway that fetches what strangers name is a classic way to reach a cloud's metadata service or a
neighbour's admin page. So: http and https only; the name is resolved here, every address it has must be a
public one, and the connection goes to the address that was checked, not to the name (a second look-up could
give another answer); no redirects; bounds on size and time; only images, or documents, are accepted.
Off unless the operator switches it on, each for itself.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import SplitResult, quote, urlsplit

import msgspec
from httptools import HttpParserError, HttpResponseParser

from pointsman.core.errors import Malformed

__all__ = ["FetchedMedia", "MediaFetcher", "MediaKind", "MediaLimits", "is_public", "resolve"]

_URL_CHARACTERS_MAX: Final = 8192
_HEAD_BYTES_MAX: Final = 32 * 1024
_READ_BYTES: Final = 64 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
_TYPES: Final = MappingProxyType({
    "image": re.compile(r"image/[a-z0-9.+-]{1,64}"),
    "document": re.compile(
        r"text/[a-z0-9.+-]{1,64}|application/(?:pdf|json|xml|csv|msword|vnd\.(?:ms-excel|openxmlformats-officedocument\."
        r"(?:wordprocessingml\.document|spreadsheetml\.sheet|presentationml\.presentation)))"
    ),
})  # fmt: skip
_UNTYPED: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What hosts say of files that they know nothing of."""

_PDF: Final = b"%PDF-"
_ARTICLES: Final = MappingProxyType({"image": "an image", "document": "a document"})
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_TRANSITION: Final = tuple(
    ipaddress.IPv6Network(network) for network in ("2001::/32", "2002::/16", "64:ff9b:1::/48", "::/96")
)
"""Teredo, 6to4, local NAT64 and IPv4-compatible: each carries an IPv4 address that a relay would follow."""

MediaKind = Literal["image", "document"]

_Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class MediaLimits(msgspec.Struct, frozen=True):
    """What the operator allows. The bounds are for one image, or one document."""

    images: bool = False
    image_bytes_max: int = 20 * 1024 * 1024
    documents: bool = False
    document_bytes_max: int = 20 * 1024 * 1024
    seconds_max: float = 10.0


class FetchedMedia(msgspec.Struct, frozen=True):
    """An image or a document: its ``media_type`` (``image/png``) and its bytes as base64 text."""

    media_type: str
    data: str


class MediaFetcher:
    """Fetches images and documents. ``allowed`` judges each address, ``resolver`` turns a name and port into addresses.

    ``limits`` may be replaced at any time; a fetch that is under way may see the former ones.
    """

    def __init__(
        self,
        limits: MediaLimits | None = None,
        *,
        allowed: Callable[[str], bool] | None = None,
        resolver: _Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or MediaLimits()
        self._allowed = allowed or is_public
        self._resolver = resolver or resolve
        self._tls = tls

    async def fetch(self, url: str, param: str, kind: MediaKind = "image") -> FetchedMedia:
        """The image or document at ``url``; ``param`` is the request field that names it, for the error.

        Must run inside a task (see :func:`pointsman.core.eager.become_task`).

        Raises:
            Malformed: fetching is off, or the URL, its host, or what it answers is not acceptable.
        """
        limits = self.limits
        is_allowed, bytes_max = (
            (limits.images, limits.image_bytes_max)
            if kind == "image"
            else (limits.documents, limits.document_bytes_max)
        )
        if not is_allowed:
            raise Malformed(
                f"Remote {kind}s are not fetched by this gateway.",
                hint=f"Send the {kind} itself as base64, or ask the operator to allow fetching.",
                param=param,
                code=f"remote_{kind}_refused",
            )
        try:
            async with asyncio.timeout(limits.seconds_max):
                return await self._fetch(url, _Collector(kind, bytes_max))
        except TimeoutError:
            raise _refused(f"it did not arrive within {limits.seconds_max:g} s", param, kind) from None
        except _UnusableError as problem:
            raise _refused(str(problem), param, kind) from None
        except (OSError, UnicodeError, HttpParserError) as problem:
            raise _refused(f"it cannot be fetched ({type(problem).__name__})", param, kind) from None

    async def _fetch(self, url: str, collector: _Collector) -> FetchedMedia:
        parts, port = _take_apart(url)
        host = str(parts.hostname)
        name = host if ":" in host else host.encode("idna").decode("ascii")
        address = await self._checked_address(name, port)
        tls = self._context() if parts.scheme == "https" else None
        reader, writer = await asyncio.open_connection(
            address, port, ssl=tls, server_hostname=name if tls is not None else None
        )
        try:
            writer.write(_request(parts, name, port, collector.kind))
            return await _read(reader, collector)
        finally:
            # Whatever is still to come is of no interest, so nothing waits for a polite end.
            writer.transport.abort()

    async def _checked_address(self, name: str, port: int) -> str:
        addresses = await self._resolver(name, port)
        if not addresses:
            raise _UnusableError("its host has no address")
        if not all(self._allowed(address) for address in addresses):
            raise _UnusableError("its host is not on the public internet")
        return addresses[0]

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


async def _read(reader: asyncio.StreamReader, collector: _Collector) -> FetchedMedia:
    parser = HttpResponseParser(collector)
    while not collector.done:
        data = await reader.read(_READ_BYTES)
        if not data:
            collector.ended()
            break
        parser.feed_data(data)
        collector.check(len(data), parser)
    body = b"".join(collector.chunks)
    return FetchedMedia(collector.type_of(body), base64.b64encode(body).decode("ascii"))


class _UnusableError(Exception):
    """Why something cannot be had; becomes the middle of a sentence."""


class _Collector:
    """The parser's callbacks. They only collect; :meth:`check` judges once the parser has returned."""

    def __init__(self, kind: MediaKind, bytes_max: int) -> None:
        self.kind = kind
        self.chunks: list[bytes] = []
        self.done = False
        self._media_type = ""
        self._bytes_max = bytes_max
        self._size = 0
        self._head_bytes = 0
        self._headers_done = False
        self._judged = False
        self._headers: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if not self._headers_done:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._headers_done = True

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self.chunks.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.done = True

    def check(self, count: int, parser: HttpResponseParser) -> None:
        """Refuse what may not go on, after ``count`` more bytes were parsed."""
        if not self._headers_done:
            self._head_bytes += count
            if self._head_bytes > _HEAD_BYTES_MAX:
                raise _UnusableError("its host sends endless headers")
            return
        if not self._judged:
            self._judge(parser.get_status_code())
        if self._size > self._bytes_max:
            raise _UnusableError(f"it is larger than {self._bytes_max} bytes")

    def ended(self) -> None:
        """The peer closed the connection: fine only where that is how the body ends."""
        delimited = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        if not self._headers_done or delimited:
            raise _UnusableError("its host broke off")

    def _judge(self, status: int) -> None:
        self._judged = True
        if 300 <= status < 400:
            raise _UnusableError("its host redirects, which is not followed")
        if status != 200:
            raise _UnusableError(f"its host answers with status {status}")
        if self._headers.get(b"content-encoding", b"identity") != b"identity":
            raise _UnusableError("its host sends it compressed")
        declared = self._headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._bytes_max:
            raise _UnusableError(f"it is larger than {self._bytes_max} bytes")
        self._media_type = self._headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        may_be_pdf = self.kind == "document" and self._media_type in _UNTYPED
        if not may_be_pdf and not _TYPES[self.kind].fullmatch(self._media_type):
            raise _UnusableError(f"it is not {_ARTICLES[self.kind]}")

    def type_of(self, body: bytes) -> str:
        """The media type of the whole; a PDF is known by its beginning, where its host says nothing.

        Raises:
            _UnusableError: it is none that is accepted.
        """
        if self._media_type not in _UNTYPED:
            return self._media_type
        if not body.startswith(_PDF):
            raise _UnusableError(f"it is not {_ARTICLES[self.kind]}")
        return "application/pdf"


def is_public(address: str) -> bool:
    """Whether ``address`` (an IP literal) is on the public internet, seen through every IPv4-in-IPv6 form."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        elif parsed in _NAT64:
            parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        elif any(parsed in network for network in _TRANSITION):
            return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of ``host``, by the system's resolver.

    Raises:
        OSError: there is none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


def _take_apart(url: str) -> tuple[SplitResult, int]:
    if len(url) > _URL_CHARACTERS_MAX or _CONTROL.search(url):
        raise _UnusableError("it is too long or has control characters in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _UnusableError("it is not a URL") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _UnusableError("only http:// and https:// URLs are fetched")
    if parts.username is not None or parts.password is not None:
        raise _UnusableError("a URL with a user name is not fetched")
    return parts, port or _PORTS[parts.scheme]


def _request(parts: SplitResult, name: str, port: int, kind: MediaKind) -> bytes:
    host = f"[{name}]" if ":" in name else name
    authority = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
    return (
        f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: pointsman\r\n"
        f"Accept: {'image/*' if kind == 'image' else '*/*'}\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def _refused(why: str, param: str, kind: MediaKind) -> Malformed:
    return Malformed(
        f"The {kind} at {param} is not usable: {why}.",
        hint=f"Send the {kind} itself{' as a data: URL' if kind == 'image' else ', as base64'}.",
        param=param,
        code=f"remote_{kind}_refused",
    )
