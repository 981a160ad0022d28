"""HashiCorp Vault's key-value store, version 2, over HTTP; OpenBao answers alike.

Settings have LiteLLM's names (``HCP_VAULT_…``). A secret ``NAME`` is looked for at ``MOUNT/data/PREFIX/NAME`` in the
field ``key``, as in LiteLLM; ``NAME#FIELD`` names another field, and there may be slashes in the name. We come in with
an AppRole, a TLS certificate, or a token, the first of these for which there are settings. The life of a token that was
given to us is prolonged for as long as Vault allows it.

Sources: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, …/api-docs/auth/approle, …/api-docs/auth/cert,
…/api-docs/auth/token#renew-a-token-self and https://docs.litellm.ai/docs/secret_managers/hashicorp_vault.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from pointsman.config.secret_sources import FILE_ENDING, SecretsUnavailable
from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.secret_sources.vault_wire import VaultWire

__all__ = ["VaultSettings", "VaultSource", "vault_settings"]

_PAUSE_SECONDS: Final = 10.0
"""For so long after a failure nobody is asked again, so that many names do not wait for one outage each."""

_REFRESH_SECONDS: Final = 300.0
_REFRESH_SECONDS_MIN: Final = 1.0
_NAMES_MAX: Final = 10_000
_RENEWAL: Final = "/v1/auth/token/renew-self"
_EARLY: Final = 0.8
"""A token is replaced once so much of its life has passed."""

_FIELD: Final = "key"


class VaultSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Vault is reached, and where secrets are in it. ``address`` is scheme, host and port."""

    address: str
    token: Secret | None = None
    role_id: str | None = None
    secret_id: Secret | None = None
    approle_mount: str = "approle"
    certificate: str | None = None
    certificate_key: str | None = None
    certificate_role: str | None = None
    authority: str | None = None
    login_namespace: str | None = None
    namespace: str | None = None
    mount: str = "secret"
    prefix: str = ""
    refresh_seconds: float = _REFRESH_SECONDS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VaultSettings) and _revealed(self) == _revealed(other)

    def __hash__(self) -> int:
        return hash(self.address)


def _revealed(settings: VaultSettings) -> tuple[object, ...]:
    values = msgspec.structs.astuple(settings)
    return tuple(value.reveal() if isinstance(value, Secret) else value for value in values)


def vault_settings(environment: Mapping[str, str]) -> VaultSettings:
    """What the environment says.

    Raises:
        Misconfigured: something is missing or cannot be meant.
    """

    def said(name: str) -> str | None:
        return environment.get(f"HCP_VAULT_{name}", "").strip() or None

    def secret(name: str) -> Secret | None:
        value = said(name)
        file = environment.get(f"HCP_VAULT_{name}{FILE_ENDING}", "").strip()
        if value is None and file:
            value = _in_file(f"HCP_VAULT_{name}{FILE_ENDING}", file)
        return Secret(value) if value else None

    namespace = said("NAMESPACE")
    settings = VaultSettings(
        address=_address(said("ADDR") or "http://127.0.0.1:8200"),
        token=secret("TOKEN"),
        role_id=said("APPROLE_ROLE_ID"),
        secret_id=secret("APPROLE_SECRET_ID"),
        approle_mount=(said("APPROLE_MOUNT_PATH") or "approle").strip("/"),
        certificate=said("CLIENT_CERT"),
        certificate_key=said("CLIENT_KEY"),
        certificate_role=said("CERT_ROLE"),
        authority=environment.get("VAULT_CACERT", "").strip() or None,
        login_namespace=said("LOGIN_NAMESPACE") or namespace,
        namespace=said("SECRET_NAMESPACE") or namespace,
        mount=(said("MOUNT_NAME") or "secret").strip("/"),
        prefix=(said("PATH_PREFIX") or "").strip("/"),
        refresh_seconds=_seconds(said("REFRESH_INTERVAL")),
    )
    if settings.token or (settings.role_id and settings.secret_id) or settings.certificate:
        return settings
    raise Misconfigured(
        "Nothing says how to come in to HashiCorp Vault.",
        hint="Set HCP_VAULT_APPROLE_ROLE_ID and HCP_VAULT_APPROLE_SECRET_ID, or HCP_VAULT_TOKEN.",
    )


class VaultSource:
    """Keeps :class:`pointsman.config.secret_sources.SecretSource`'s promises with Vault. Safe to use from threads."""

    def __init__(self, settings: VaultSettings, clock: Clock) -> None:
        self.trouble: str | None = None
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str | None, float]] = {}
        self._token: tuple[Secret, float] | None = None
        self._quiet_until = float("-inf")
        self._renew_at = float("-inf")
        self._renew_within = float("inf")
        self._wire = VaultWire(settings.address, self._trusting)

    @property
    def refresh_seconds(self) -> float:
        """See the port; sooner than the settings say where a token would not live so long."""
        return max(min(self._settings.refresh_seconds, self._renew_within), _REFRESH_SECONDS_MIN)

    def where(self, name: str) -> str:
        """See the port."""
        path, field = _split(name)
        return f"{self._settings.address} {self._path(path)} (field {field})"

    def find(self, name: str) -> str | None:
        """See the port."""
        with self._lock:
            known = self._known.get(name)
            if known is not None and self._clock.monotonic() - known[1] < self.refresh_seconds:
                return known[0]
            try:
                return self._look_up(name)
            except SecretsUnavailable:
                if known is None:
                    raise
                return known[0]

    def refresh(self) -> bool:
        """See the port."""
        with self._lock:
            before = {name: value for name, (value, _) in self._known.items()}
            changed = False
            for name, value in before.items():
                try:
                    changed = self._look_up(name) != value or changed
                except SecretsUnavailable:
                    break
            return changed

    def _look_up(self, name: str) -> str | None:
        value = self._asked(name)
        if name in self._known or len(self._known) < _NAMES_MAX:
            self._known[name] = value, self._clock.monotonic()
        return value

    def _asked(self, name: str) -> str | None:
        if self._clock.monotonic() < self._quiet_until and self.trouble is not None:
            raise SecretsUnavailable(self.trouble)
        try:
            value = self._read(name)
        except SecretsUnavailable as problem:
            self.trouble = str(problem)
            self._quiet_until = self._clock.monotonic() + _PAUSE_SECONDS
            raise
        self.trouble = None
        return value

    def _read(self, name: str) -> str | None:
        path, field = _split(name)
        url = "/v1/" + quote(self._path(path))
        status, body = self._send("GET", url, b"", self._settings.namespace, self._bearer())
        if status == 403 and self._logs_in:
            # Its token may have been revoked; a fresh one is asked for once.
            self._token = None
            status, body = self._send("GET", url, b"", self._settings.namespace, self._bearer())
        if status == 404:
            return None
        if status != 200:
            raise self._refused(status, f"to read {self._path(path)}")
        try:
            value = msgspec.json.decode(body, type=_Answer).data.data.get(field)
        except msgspec.MsgspecError:
            raise SecretsUnavailable(
                f"Vault at {self._settings.address} did not answer as a KV store, version 2."
            ) from None
        return value if isinstance(value, str) else None

    def _path(self, path: str) -> str:
        settings = self._settings
        return "/".join(part for part in (settings.mount, "data", settings.prefix, path) if part)

    @property
    def _logs_in(self) -> bool:
        return bool(self._settings.role_id and self._settings.secret_id) or self._settings.certificate is not None

    def _bearer(self) -> Secret:
        """The token to come in with."""
        settings = self._settings
        if not self._logs_in:
            return self._prolonged(settings.token or Secret(""))
        if self._token is not None and self._clock.monotonic() < self._token[1]:
            return self._token[0]
        if settings.role_id and settings.secret_id:
            url = f"/v1/auth/{quote(settings.approle_mount)}/login"
            form = {"role_id": settings.role_id, "secret_id": settings.secret_id.reveal()}
        else:
            url = "/v1/auth/cert/login"
            form = {"name": settings.certificate_role} if settings.certificate_role else {}
        status, body = self._send("POST", url, msgspec.json.encode(form), settings.login_namespace, None)
        if status != 200:
            raise self._refused(status, "to let us in")
        try:
            granted = msgspec.json.decode(body, type=_Login).auth
        except msgspec.MsgspecError:
            raise SecretsUnavailable(f"Vault at {settings.address} gave no token.") from None
        life = granted.lease_duration * _EARLY if granted.lease_duration > 0 else float("inf")
        self._token = Secret(granted.client_token), self._clock.monotonic() + life
        return self._token[0]

    def _prolonged(self, token: Secret) -> Secret:
        """The token that was given to us, which lives longer if it may and it is time."""
        now = self._clock.monotonic()
        if now < self._renew_at:
            return token
        self._renew_at = now + _PAUSE_SECONDS
        self._renew_within = min(self._renew_within, _PAUSE_SECONDS)
        status, body = self._send("POST", _RENEWAL, b"{}", self._settings.login_namespace, token)
        try:
            life = msgspec.json.decode(body, type=_Login).auth.lease_duration if status == 200 else 0.0
        except msgspec.MsgspecError:
            life = 0.0
        if life > 0:
            self._renew_within = life * _EARLY
            self._renew_at = now + self._renew_within
        elif status < 500:
            self._renew_at = self._renew_within = float("inf")  # it lives for ever, or no longer than it does
        return token

    def _refused(self, status: int, what: str) -> SecretsUnavailable:
        reason = " (it is sealed)" if status == 503 else ""
        if status == 403 and not self._logs_in:
            reason = " (HCP_VAULT_TOKEN may have expired, or have too few rights)"
        return SecretsUnavailable(f"Vault at {self._settings.address} refused {what}: status {status}{reason}.")

    def _send(
        self, method: str, path: str, body: bytes, namespace: str | None, token: Secret | None
    ) -> tuple[int, bytes]:
        """Status and body of one answer.

        Raises:
            SecretsUnavailable: there is none in time.
        """
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if token:
            headers["X-Vault-Token"] = token.reveal()
        return self._wire.send(method, path, body, headers)

    def _trusting(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=settings.authority)
            if settings.certificate:
                context.load_cert_chain(settings.certificate, settings.certificate_key)
        except (OSError, ssl.SSLError) as problem:
            raise SecretsUnavailable(f"the certificates for Vault cannot be used: {problem}.") from None
        return context


class _Inner(msgspec.Struct):
    data: dict[str, object]


class _Answer(msgspec.Struct):
    data: _Inner


class _Granted(msgspec.Struct):
    client_token: str
    lease_duration: float = 0.0


class _Login(msgspec.Struct):
    auth: _Granted


def _split(name: str) -> tuple[str, str]:
    """The path of a secret, and the field of it."""
    path, _, field = name.partition("#")
    steps = [step for step in path.split("/") if step not in {"", ".", ".."}]
    return "/".join(steps), field or _FIELD


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.path.strip("/"):
        raise Misconfigured(
            "HCP_VAULT_ADDR is no address of a server.", hint="Write it as in https://vault.example.com:8200"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port is not None else ''}"


def _seconds(text: str | None) -> float:
    if text is None:
        return _REFRESH_SECONDS
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Misconfigured("HCP_VAULT_REFRESH_INTERVAL is no whole number of seconds.")
    return max(float(text), _REFRESH_SECONDS_MIN)


def _in_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{name} names a file that cannot be read: {path}.") from None
