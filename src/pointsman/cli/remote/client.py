"""Asking a gateway that runs, over its management API."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from pointsman import __version__
from pointsman.config.data_directory import default_data_directory, in_container
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.core.errors import (
    Broken,
    Forbidden,
    GatewayError,
    Malformed,
    Misconfigured,
    NotFound,
    Unauthenticated,
    Unreachable,
    UpstreamFailed,
)
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.providers.transport import Transport

__all__ = ["DEFAULT_URL", "GatewayClient", "asked", "data_directory", "found_gateway"]

Shape = TypeVar("Shape")

DEFAULT_URL: Final = "http://127.0.0.1:4000"
_KEY_VARIABLES: Final = ("POINTSMAN_API_KEY", "POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY")
_PATIENCE_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 60.0
_SHOWN_CHARACTERS: Final = 200
_NO_ROUTE: Final = "route_not_found"


class _Told(msgspec.Struct):
    message: str = ""
    code: str | None = None
    param: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _Told = msgspec.field(default_factory=_Told)


class GatewayClient:
    """One gateway, and who asks it."""

    def __init__(self, url: str, key: Secret | None, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._headers = () if key is None else (("Authorization", f"Bearer {key.reveal()}"),)
        self._patience_seconds = patience_seconds

    async def fetch(
        self, method: str, path: str, body: object = None, query: Mapping[str, object] | None = None
    ) -> bytes:
        """The JSON of an answer; entries of ``query`` that are None are left out.

        Raises:
            Unreachable, UpstreamFailed: it does not answer.
            Refused: it refuses, in its own words.
        """
        async with self._asking() as transport:
            reply = await transport.fetch(
                method,
                self._target(path, query or {}),
                body=b"" if body is None else msgspec.json.encode(body),
                headers=self._headers,
                timeout_seconds=self._patience_seconds,
            )
        if reply.status >= 300:
            raise self._refusal(reply.status, reply.body)
        return reply.body

    async def download(
        self,
        path: str,
        query: Mapping[str, object],
        write: Callable[[bytes], object],
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        """Hand an answer of any length to ``write``, piece by piece.

        Raises:
            UpstreamFailed, Refused: see :meth:`fetch`.
        """
        target = self._target(path, query)
        async with self._asking() as transport:
            async for piece in transport.download(target, headers=self._headers, timeout_seconds=silence_seconds):
                if piece.status >= 300:
                    raise self._refusal(piece.status, piece.body)
                write(piece.body)

    async def ask(
        self,
        shape: type[Shape],
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, object] | None = None,
    ) -> Shape:
        """An answer as ``shape``.

        Raises:
            Broken: what answers is no gateway.
            UpstreamFailed, Refused: see :meth:`fetch`.
        """
        text = await self.fetch(method, path, body, query)
        try:
            return msgspec.json.decode(text, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self.not_understood() from None

    def not_understood(self) -> Broken:
        """The error for an answer that is none of a gateway's, or of another version's."""
        return Broken(
            f"What answers at {self.url} is no gateway, or one of another version.",
            hint=f"Look at --url; this is version {__version__}, and GET /health/readiness tells the gateway's.",
        )

    def _target(self, path: str, query: Mapping[str, object]) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self.url}{path}" + (f"?{urlencode(given)}" if given else "")

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[Transport]:
        """A transport for one question; who cannot be reached is told of with what to do."""
        nursery = Nursery(lambda _name, _error: None)
        transport = Transport(nursery)
        nursery.start(transport.run(), "timeouts")
        try:
            yield transport
        except Unreachable as error:
            raise Unreachable(error.message.replace("the upstream", "the gateway", 1), hint=_way_in(error)) from None
        except UpstreamFailed as error:
            error.message = error.message.replace("The upstream", f"What answers at {self.url}", 1)
            error.hint = error.hint or "Look at --url and at what lies before the gateway."
            raise
        finally:
            transport.close()
            await nursery.close()

    def _refusal(self, status: int, body: bytes) -> GatewayError:
        try:
            told = msgspec.json.decode(body, type=_ErrorBody).error
        except msgspec.MsgspecError:
            told = _Told(body[:_SHOWN_CHARACTERS].decode("utf-8", "replace"))
        if not told.message:
            # Not even that is said as we say it: it is something else, or knows no such path.
            return (
                self.not_understood()
                if status in {404, 405} or status < 400
                else Broken(f"{self.url}: It answered with {status}.")
            )
        said = told.message
        if told.code == _NO_ROUTE:
            return Broken(
                f"The gateway at {self.url} does not know what it is asked: it is older than this command.",
                hint=f"This is version {__version__}, and GET /health/readiness tells the gateway's.",
            )
        if status == 401:
            hint = "Give a key with --key or POINTSMAN_API_KEY."
            return Unauthenticated(f"{self.url} does not take this key (401): {said}", hint=hint)
        if status == 403:
            return Forbidden(
                f"{self.url} refuses (403): {said}", hint="Ask with a key that may, for example the master key."
            )
        kind = NotFound if status == 404 else Malformed if status < 500 else Broken
        return kind(f"{self.url}: {said}")


def _way_in(error: Unreachable) -> str:
    """What to do about a gateway that cannot be reached."""
    said = error.message.lower()
    if "certificate" in said:
        return "If it is the right one, name the file of its authority's certificate: SSL_CERT_FILE=ca.pem."
    if "wrong_version_number" in said or "record_layer_failure" in said:
        return "It does not speak TLS: write --url with http:// and not https://."
    return "Start it with: pointsman serve. Name another with --url or POINTSMAN_URL."


def found_gateway(
    url: str | None, key: str | None, data_dir: Path | None, patience_seconds: float = _PATIENCE_SECONDS
) -> GatewayClient:
    """The gateway that is meant: by option, by environment, or the one on this machine.

    Raises:
        Misconfigured: the address is none, or the file of its master key cannot be read.
    """
    environment = process_environment()
    where = url or environment.get("POINTSMAN_URL") or DEFAULT_URL
    if not _is_address(where):
        source = "--url" if url else "POINTSMAN_URL"
        raise Misconfigured(
            f"{source} is not the address of a gateway: {where!r}.", hint=f"Write it like {DEFAULT_URL}."
        )
    named = key or next((environment[name] for name in _KEY_VARIABLES if environment.get(name)), None)
    if named is None and _is_here(where):
        # Elsewhere, the master key of a gateway on this machine is nobody's business.
        named = _kept_key(data_dir or data_directory())
    return GatewayClient(where, None if named is None else Secret(named), patience_seconds)


def data_directory() -> Path:
    """Where a gateway on this machine keeps what it keeps, unless it was told otherwise."""
    environment = process_environment()
    return EnvironmentSettings.read(environment).data_directory or default_data_directory(
        environment, container=in_container(environment)
    )


def asked(client: GatewayClient, method: str, path: str, body: object = None, **query: object) -> bytes:
    """The JSON of one answer.

    Raises:
        UpstreamFailed, Refused: see :meth:`GatewayClient.fetch`.
    """
    return asyncio.run(client.fetch(method, path, body, query))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _kept_key(directory: Path) -> str | None:
    path = directory / "master.key"
    try:
        return path.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"The master key in {path} cannot be read: {error}.", hint="Give a key with --key or POINTSMAN_API_KEY."
        ) from None
