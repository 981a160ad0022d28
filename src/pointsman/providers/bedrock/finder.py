"""Where keys are looked for, and in which order.

What the deployment says comes first: a role, keys, a profile. Where it says nothing, the order is that of AWS's own
SDKs (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html): a role by web identity, the usual
profile, the container's role, the instance's. What would start other programs (``credential_process``, ``sso_…``,
``login_session``) is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.secret import Secret
from pointsman.providers.bedrock.fetching import no_keys
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.bedrock.metadata import container_keys, instance_keys
from pointsman.providers.bedrock.place import service_base
from pointsman.providers.bedrock.profiles import read_profile, read_small_file
from pointsman.providers.bedrock.sts import RoleWish, TokenService
from pointsman.providers.bedrock.surroundings import AwsSurroundings
from pointsman.providers.transport import Fetcher
from pointsman.wire.aws_signature import AwsKeys

__all__ = ["KeyFinder"]

_FILE_SECONDS: Final = 900.0
"""Keys in a file may be replaced there by other programs, so the file is read again after some minutes."""

_PROFILES_MAX: Final = 5
"""Profiles that take their keys from one another."""

_FILE: Final = "oidc/file/"
_USUAL_REGION: Final = "us-east-1"
_NOT_USED: Final = ("credential_process", "sso_session", "sso_start_url", "login_session")
_LOOKED_FOR: Final = (
    "No AWS credentials were found. Looked for: keys of the deployment and of the environment (AWS_ACCESS_KEY_ID), "
    "a role by web identity (AWS_WEB_IDENTITY_TOKEN_FILE), the profile '{profile}' in ~/.aws/credentials and "
    "~/.aws/config, the role of the container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, …_FULL_URI), the role of the "
    "EC2 instance."
)


class KeyFinder:
    """Finds keys; ``surroundings`` tells what the machine says now."""

    def __init__(
        self, fetcher: Fetcher, surroundings: Callable[[], AwsSurroundings], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._fetcher = fetcher
        self._surroundings = surroundings
        self._clock = clock

    async def find(self, access: AwsAccess) -> Grant:
        """The keys for an access.

        Raises:
            Unreachable: there are none; the message says where they were looked for, or who did not give them.
        """
        if access.role is None:
            return await self._own(access)
        wish = RoleWish(access.role, access.session_name, access.external_id, access.session_tags)
        service = self._service(access)
        if access.web_identity_token is not None:
            token = await _web_identity(access.web_identity_token)
            return await service.assume_role_with_web_identity(wish, token)
        if self._is_machines(access):
            # Whoever has a role already is seldom allowed to take it once more.
            return await self._own(msgspec.structs.replace(access, role=None))
        return await service.assume_role(wish, (await self._own(access)).keys)

    def _is_machines(self, access: AwsAccess) -> bool:
        """Whether the role is the one that the machine takes by web identity anyway."""
        surroundings = self._surroundings()
        usual = access.access_key_id is None and access.profile is None
        return usual and bool(surroundings.web_identity_token_file) and surroundings.role == access.role

    async def _own(self, access: AwsAccess) -> Grant:
        """The keys that are there without a role of the deployment's."""
        if access.access_key_id is not None and access.secret_access_key is not None:
            keys = AwsKeys(access.access_key_id.reveal(), access.secret_access_key, access.session_token)
            return Grant(keys)
        surroundings = self._surroundings()
        if access.profile is not None:
            grant = await self._profile(access.profile, access, surroundings)
            if grant is None:
                raise no_keys(f"The AWS profile '{access.profile}' has no credentials, or is not there.")
            return grant
        grant = (
            await self._machine_web_identity(access, surroundings)
            or await self._profile(surroundings.profile, access, surroundings)
            or await container_keys(surroundings, self._fetcher)
            or await instance_keys(surroundings, self._fetcher)
        )
        if grant is None:
            raise no_keys(_LOOKED_FOR.format(profile=surroundings.profile))
        return grant

    async def _machine_web_identity(self, access: AwsAccess, surroundings: AwsSurroundings) -> Grant | None:
        if not surroundings.web_identity_token_file or not surroundings.role:
            return None
        wish = RoleWish(surroundings.role, surroundings.role_session_name or None)
        token = await _token_in(Path(surroundings.web_identity_token_file))
        return await self._service(access).assume_role_with_web_identity(wish, token)

    async def _profile(
        self, name: str, access: AwsAccess, surroundings: AwsSurroundings, seen: tuple[str, ...] = ()
    ) -> Grant | None:
        fields = await asyncio.to_thread(read_profile, name, surroundings)
        if fields is None:
            return None
        # A profile that takes its keys from itself means its own keys.
        if fields.get("role_arn") and name not in seen:
            return await self._profile_role(name, fields, access, surroundings, seen)
        if fields.get("aws_access_key_id") and fields.get("aws_secret_access_key"):
            token = fields.get("aws_session_token")
            secret = Secret(fields["aws_secret_access_key"])
            keys = AwsKeys(fields["aws_access_key_id"], secret, Secret(token) if token else None)
            return Grant(keys, self._clock.wall() + _FILE_SECONDS)
        unused = next((field for field in _NOT_USED if fields.get(field)), None)
        if unused is not None:
            raise no_keys(f"The AWS profile '{name}' gets its credentials by {unused}, which is not supported.")
        return None

    async def _profile_role(
        self,
        name: str,
        fields: Mapping[str, str],
        access: AwsAccess,
        surroundings: AwsSurroundings,
        seen: tuple[str, ...],
    ) -> Grant:
        wish = RoleWish(fields["role_arn"], fields.get("role_session_name"), fields.get("external_id"))
        service = self._service(access, fields.get("region"))
        if fields.get("web_identity_token_file"):
            token = await _token_in(Path(fields["web_identity_token_file"]))
            return await service.assume_role_with_web_identity(wish, token)
        if len(seen) >= _PROFILES_MAX:
            raise no_keys(f"The AWS profile '{name}' is one of too many that take their keys from one another.")
        source = fields.get("source_profile")
        if source:
            grant = await self._profile(source, access, surroundings, (*seen, name))
        else:
            grant = await self._credential_source(fields.get("credential_source", ""), surroundings)
        if grant is None:
            raise no_keys(
                f"The AWS profile '{name}' names no credentials to take its role with, or they are not there."
            )
        return await service.assume_role(wish, grant.keys)

    async def _credential_source(self, source: str, surroundings: AwsSurroundings) -> Grant | None:
        if source == "EcsContainer":
            return await container_keys(surroundings, self._fetcher)
        if source == "Ec2InstanceMetadata":
            return await instance_keys(surroundings, self._fetcher)
        key, secret = surroundings.access_key_id, surroundings.secret_access_key
        if source != "Environment" or key is None or secret is None:
            return None
        return Grant(AwsKeys(key.reveal(), secret, surroundings.session_token))

    def _service(self, access: AwsAccess, region: str | None = None) -> TokenService:
        region = access.region or region or _USUAL_REGION
        endpoint = access.sts_endpoint or service_base("sts", region)
        return TokenService(self._fetcher, self._clock, endpoint, region)


async def _web_identity(given: Secret) -> str:
    """The token itself: as it is, or in the file that is named in its place (LiteLLM: ``oidc/file/…``, or a path)."""
    text = given.reveal()
    if text.startswith(_FILE):
        return await _token_in(Path(text.removeprefix(_FILE)))
    if text.startswith("oidc/"):
        raise no_keys("aws_web_identity_token names a provider of tokens that is not supported; oidc/file/… is.")
    return await _token_in(Path(text)) if text.startswith("/") else text


async def _token_in(path: Path) -> str:
    text = await asyncio.to_thread(read_small_file, path)
    if not text or not text.strip():
        raise no_keys("The file that should hold the web identity token is not there, or empty.")
    return text.strip()
