"""The only place that reads the process's environment, and what the variables in it mean to us.

LiteLLM's and Ollama's names are honoured as their users have them; ours, ``POINTSMAN_…``, win over them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from pointsman.config.findings import ConfigRefused, Finding, Findings, Place, nearest
from pointsman.config.ollama_host import ollama_address
from pointsman.config.redis_sections import RedisNode, SentinelNode, nodes_in, sentinels_in
from pointsman.config.secret_sources import FILE_ENDING, SecretFiles
from pointsman.core.secret import Secret

__all__ = ["ENVIRONMENT_PLACE", "START_VARIABLES", "VARIABLES", "EnvironmentSettings", "process_environment"]

ENVIRONMENT_PLACE: Final = Place("environment")

VARIABLES: Final[Mapping[str, str]] = {
    "POINTSMAN_HOST": "address to listen on",
    "POINTSMAN_PORT": "port to listen on",
    "POINTSMAN_WORKERS": "number of processes",
    "POINTSMAN_CONFIG": "path of the configuration file",
    "CONFIG_FILE_PATH": "the same, in LiteLLM's name",
    "POINTSMAN_DATA_DIR": "folder for everything that is written",
    "POINTSMAN_MASTER_KEY": "the administrator's key, if `general_settings.master_key` is not set",
    "LITELLM_MASTER_KEY": "the same, in LiteLLM's name",
    "POINTSMAN_OLLAMA": "addresses of Ollama servers, separated by commas",
    "OLLAMA_HOST": "address of the Ollama server, in all forms that Ollama takes",
    "OLLAMA_NUM_PARALLEL": "how many requests the Ollama on this machine works on at once, and so is sent",
    "OLLAMA_API_BASE": "address for `ollama/…` and `ollama_chat/…` deployments without an `api_base`, as in LiteLLM",
    "OLLAMA_API_KEY": "key for those deployments, as in LiteLLM",
    "POINTSMAN_LOG_LEVEL": "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`",
    "LITELLM_LOG": "the same, in LiteLLM's name",
    "LOG_LEVEL": "the same, as many programs have it",
    "POINTSMAN_SECRET_KEY": "what encrypts stored secrets; several, separated by commas: the first one encrypts",
    "LITELLM_SALT_KEY": "the same, in LiteLLM's name",
    "STORE_MODEL_IN_DB": "`false`: no models are added at run time, if `general_settings.store_model_in_db` is not set",
    "NO_DOCS": "`true`: do not serve `/docs`",
    "WEBHOOK_URL": "where alerts go, if `general_settings.alerting` has `webhook`",
    "SLACK_WEBHOOK_URL": "where alerts go, if `general_settings.alerting` has `slack`",
    "ALERTING_WEBHOOK_URL": "the same, if that is not set",
    "SMTP_HOST": "mail server for alerts, if `general_settings.alerting` has `email`",
    "SMTP_PORT": "its port; otherwise 587",
    "SMTP_USERNAME": "user name for it",
    "SMTP_PASSWORD": "password for it",
    "SMTP_SENDER_EMAIL": "whom that mail is from",
    "SMTP_TLS": "`False`: speak to it in the clear",
    "DATABASE_URL": "PostgreSQL database for everything that is kept, if `general_settings.database_url` is not set",
    "DATABASE_HOST": "the same in parts, as in LiteLLM: host and, after a colon, port",
    "DATABASE_USERNAME": "user, for `DATABASE_HOST`",
    "DATABASE_PASSWORD": "password, for `DATABASE_HOST`",
    "DATABASE_NAME": "name of the database, for `DATABASE_HOST`",
    "DATABASE_SCHEMA": "schema in it, for `DATABASE_HOST`; `public` if unset",
    "UI_USERNAME": "who signs in as the operator; `admin` if not set ([Signing in](sign-in.md))",
    "UI_PASSWORD": "the operator's password; the master key if not set",
    "PROXY_BASE_URL": "the gateway's own address, as browsers see it",
    "PROXY_ADMIN_ID": "the user who is an administrator whatever anybody says",
    "PROXY_LOGOUT_URL": "where to go after signing out",
    "ALLOWED_EMAIL_DOMAINS": "domains of those who may sign in with a provider, separated by commas",
    "GENERIC_CLIENT_ID": "an identity provider, with `GENERIC_CLIENT_SECRET`, `_AUTHORIZATION_ENDPOINT`, `_TOKEN_ENDPOINT`, `_USERINFO_ENDPOINT`, `_SCOPE` and `GENERIC_USER_…_ATTRIBUTE`",  # noqa: E501
    "GOOGLE_CLIENT_ID": "Google as an identity provider, with `GOOGLE_CLIENT_SECRET`",
    "MICROSOFT_CLIENT_ID": "Microsoft as one, with `MICROSOFT_CLIENT_SECRET` and `MICROSOFT_TENANT`",
    "JWT_PUBLIC_KEY_URL": "where the keys are that signed tokens are signed with; several separated by commas",
    "JWT_ISSUER": "what such tokens must say as `iss`",
    "JWT_AUDIENCE": "what such tokens must say as `aud`; several separated by commas",
    "REDIS_URL": "address of Redis or Valkey, through which replicas share limits",
    "REDIS_HOST": "its host, where `REDIS_URL` is not set",
    "REDIS_PORT": "its port; 6379 if not said",
    "REDIS_USERNAME": "its user",
    "REDIS_PASSWORD": "its password",
    "REDIS_SSL": "`true`: use TLS",
    "REDIS_GCP_SERVICE_ACCOUNT": "the service account with whose tokens Redis is signed in to at Google",
    "REDIS_CLUSTER_NODES": 'servers of a cluster, as JSON: `[{"host": "10.0.0.1", "port": 7001}]`',
    "REDIS_SENTINEL_NODES": 'sentinels, as JSON: `[["10.0.0.1", 26379]]`',
    "REDIS_SENTINEL_PASSWORD": "the password of the sentinels",
    "REDIS_SERVICE_NAME": "name of the primary that the sentinels watch",
}
"""Every variable that is read, the stronger name first."""

START_VARIABLES: Final = frozenset({
    "CONFIG_FILE_PATH", "POINTSMAN_CONFIG", "POINTSMAN_DATA_DIR", "POINTSMAN_HOST", "POINTSMAN_PORT",
    "POINTSMAN_WORKERS",
})  # fmt: skip
"""Those that are used before the configuration is read, so that it cannot set them."""

_LEVELS: Final = ("CRITICAL", "DEBUG", "ERROR", "INFO", "WARNING")
_LEVEL_NAMES: Final[Mapping[str, str]] = {
    **{name: name for name in _LEVELS},
    "WARN": "WARNING",
    "FATAL": "CRITICAL",
    "TRACE": "DEBUG",
}
_PORT_MAX: Final = 65535
_WORKERS_MAX: Final = 512
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_SECRETS: Final = frozenset({
    "DATABASE_URL", "LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "OLLAMA_API_KEY", "POINTSMAN_MASTER_KEY",
    "POINTSMAN_SECRET_KEY", "REDIS_URL",
})  # fmt: skip
"""Those that ``NAME_FILE`` may stand for."""

_T = TypeVar("_T")


def process_environment() -> Mapping[str, str]:
    """The environment as it is now; later changes do not show."""
    return MappingProxyType(dict(os.environ))


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says; None where it says nothing."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    config_path: Path | None = None
    data_directory: Path | None = None
    master_key: Secret | None = None
    ollama: tuple[str, ...] = ()
    ollama_host: str | None = None
    ollama_num_parallel: int | None = None
    ollama_api_base: str | None = None
    ollama_api_key: Secret | None = None
    database_url: Secret | None = None
    redis_url: Secret | None = None
    redis_host: str | None = None
    redis_port: int | None = None
    redis_username: str | None = None
    redis_password: Secret | None = None
    redis_ssl: bool = False
    redis_cluster_nodes: tuple[RedisNode, ...] = ()
    redis_sentinel_nodes: tuple[SentinelNode, ...] = ()
    redis_sentinel_password: Secret | None = None
    redis_service_name: str | None = None
    redis_gcp_service_account: str | None = None
    log_level: str | None = None
    secret_key: Secret | None = None
    salt_key: Secret | None = None
    store_models: bool | None = None
    docs: bool = True
    warnings: tuple[Finding, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str], files: SecretFiles | None = None) -> EnvironmentSettings:
        """Read every variable of :data:`VARIABLES`; an empty one counts as not set.

        Of one that is secret ``NAME_FILE`` may name a file that holds it instead; ``files`` notes which were read.

        Raises:
            ConfigRefused: a variable that is ours has a value that cannot be meant.
        """
        findings = Findings()
        reader = _VariableReader(environment, findings, SecretFiles() if files is None else files)
        settings = cls(
            host=reader.text("POINTSMAN_HOST"),
            port=reader.whole_number("POINTSMAN_PORT", 0, _PORT_MAX),
            workers=reader.whole_number("POINTSMAN_WORKERS", 1, _WORKERS_MAX),
            config_path=reader.path("POINTSMAN_CONFIG", "CONFIG_FILE_PATH"),
            data_directory=reader.path("POINTSMAN_DATA_DIR"),
            master_key=reader.secret("POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY"),
            ollama=reader.addresses("POINTSMAN_OLLAMA"),
            ollama_host=reader.parsed("OLLAMA_HOST", ollama_address, findings.warn),
            ollama_num_parallel=reader.parsed("OLLAMA_NUM_PARALLEL", _parallel, findings.warn),
            ollama_api_base=reader.parsed("OLLAMA_API_BASE", ollama_address, findings.warn),
            ollama_api_key=reader.secret("OLLAMA_API_KEY"),
            database_url=reader.secret("DATABASE_URL") or reader.database_in_parts(),
            redis_url=reader.secret("REDIS_URL"),
            redis_host=reader.text("REDIS_HOST"),
            redis_port=reader.whole_number("REDIS_PORT", 1, _PORT_MAX),
            redis_username=reader.text("REDIS_USERNAME"),
            redis_password=reader.secret("REDIS_PASSWORD"),
            redis_gcp_service_account=reader.text("REDIS_GCP_SERVICE_ACCOUNT"),
            redis_ssl=(reader.text("REDIS_SSL") or "").lower() in _TRUE,
            redis_cluster_nodes=reader.needed("REDIS_CLUSTER_NODES", nodes_in) or (),
            redis_sentinel_nodes=reader.needed("REDIS_SENTINEL_NODES", sentinels_in) or (),
            redis_sentinel_password=reader.secret("REDIS_SENTINEL_PASSWORD"),
            redis_service_name=reader.text("REDIS_SERVICE_NAME"),
            log_level=reader.log_level(),
            secret_key=reader.secret("POINTSMAN_SECRET_KEY"),
            salt_key=reader.secret("LITELLM_SALT_KEY"),
            store_models=reader.truth("STORE_MODEL_IN_DB"),
            docs=(reader.text("NO_DOCS") or "").lower() not in _TRUE,
        )
        reader.tell_unknown()
        if findings.errors:
            raise ConfigRefused(findings.errors, findings.warnings)
        return msgspec.structs.replace(settings, warnings=findings.warnings)


def _parallel(text: str) -> int | None:
    """Ollama's number; it takes 0 as: whatever is best."""
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        message = "it is not a whole number"
        raise ValueError(message)
    return int(text) or None


class _VariableReader:
    """Reads single variables and notes what is wrong with them, without their values."""

    def __init__(self, environment: Mapping[str, str], findings: Findings, files: SecretFiles) -> None:
        self._environment = environment
        self._findings = findings
        self._files = files

    def text(self, *names: str) -> str | None:
        """The first of ``names`` that is set and not empty, without surrounding blanks."""
        values = (self._environment.get(name, "").strip() for name in names)
        return next((value for value in values if value), None)

    def secret(self, *names: str) -> Secret | None:
        value = next((found for name in names if (found := self.text(name) or self._in_file(name))), None)
        return None if value is None else Secret(value)

    def database_in_parts(self) -> Secret | None:
        """The URL of a database whose parts stand in variables of their own; None if one is missing."""
        host, user, name = (self.text(f"DATABASE_{part}") for part in ("HOST", "USERNAME", "NAME"))
        if host is None or user is None or name is None:
            return None
        password, schema = self.text("DATABASE_PASSWORD"), self.text("DATABASE_SCHEMA")
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        suffix = f"?schema={quote(schema, safe='')}" if schema else ""
        return Secret(f"postgresql://{login}@{host}/{quote(name, safe='')}{suffix}")

    def _in_file(self, name: str) -> str | None:
        path = self.text(name + FILE_ENDING)
        if path is None:
            return None
        try:
            return self._files.read(path).strip() or None
        except ConfigRefused as refusal:
            problem = refusal.errors[0]
            self._error(
                name + FILE_ENDING, f"names a file that cannot be used: {problem.place.file}: {problem.message}."
            )
            return None

    def truth(self, name: str) -> bool | None:
        """Whether it says yes; None where it says nothing."""
        value = self.text(name)
        return None if value is None else value.lower() in _TRUE

    def path(self, *names: str) -> Path | None:
        value = self.text(*names)
        if value is None:
            return None
        try:
            return Path(value).expanduser()
        except RuntimeError:  # "~someone" without such a user
            return Path(value)

    def whole_number(self, name: str, lowest: int, highest: int) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if value.isascii() and value.isdecimal() and len(value) < 10 and lowest <= int(value) <= highest:
            return int(value)
        self._error(name, f"is not a whole number from {lowest} to {highest}.")
        return None

    def addresses(self, name: str) -> tuple[str, ...]:
        texts = [text for text in (self.text(name) or "").split(",") if text.strip()]
        try:
            return tuple(address for text in texts if (address := ollama_address(text)))
        except ValueError as problem:
            self._error(name, f"{problem}.")
            return ()

    def parsed(self, name: str, parse: Callable[[str], _T], tell: Callable[[Place, str, str], None]) -> _T | None:
        value = self.text(name)
        try:
            return None if value is None else parse(value)
        except ValueError as problem:
            tell(ENVIRONMENT_PLACE, name, f"is ignored: {problem}.")
            return None

    def needed(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """As :meth:`parsed`, of what nothing works without."""
        value = self.text(name)
        try:
            return None if value is None else parse(value)
        except ValueError as problem:
            self._error(name, f"cannot be used: {problem}.")
            return None

    def log_level(self) -> str | None:
        ours = self.text("POINTSMAN_LOG_LEVEL")
        if ours is not None and ours.upper() not in _LEVEL_NAMES:
            self._error("POINTSMAN_LOG_LEVEL", f"is none of {', '.join(_LEVELS)}.")
            return None
        # The other names are set for other programs too, whose levels we may not have.
        for name in ("POINTSMAN_LOG_LEVEL", "LITELLM_LOG", "LOG_LEVEL"):
            level = self.text(name)
            if level is not None and level.upper() in _LEVEL_NAMES:
                return _LEVEL_NAMES[level.upper()]
            if level is not None:
                self._findings.warn(ENVIRONMENT_PLACE, name, f"is ignored: it is none of {', '.join(_LEVELS)}.")
        return None

    def tell_unknown(self) -> None:
        """Warn of variables that bear our name and mean nothing."""
        ours = {name.lower(): name for name in VARIABLES if name.startswith("POINTSMAN_")}
        for name in self._environment:
            of_file = name.endswith(FILE_ENDING) and name.removesuffix(FILE_ENDING) in _SECRETS
            if name.startswith("POINTSMAN_") and name not in VARIABLES and not of_file:
                like = nearest(name, ours)
                hint = f"Did you mean {ours[like]}?" if like else None
                self._findings.warn(ENVIRONMENT_PLACE, name, "is not a known variable and has no effect.", hint)

    def _error(self, name: str, message: str) -> None:
        self._findings.error(ENVIRONMENT_PLACE, name, message)
