"""Keys that the machine itself is given: those of a container's task and those of an EC2 instance.

Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html (version 2, which wants a token).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final

from pointsman.core.errors import GatewayError, Misconfigured
from pointsman.providers.bedrock.fetching import no_keys, read_grant
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.bedrock.profiles import read_small_file
from pointsman.providers.bedrock.surroundings import AwsSurroundings
from pointsman.providers.transport import Fetcher, FetchReply, Origin

__all__ = ["container_keys", "instance_keys"]

_CONTAINER_HOST: Final = "http://169.254.170.2"
_PLAIN_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
"""To these alone a token may go without encryption."""

_LIFE_SECONDS: Final = "21600"
_ROLES: Final = "/latest/meta-data/iam/security-credentials/"
_SECONDS: Final = 2.0
_ROLE: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
"""The name of a role: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html."""


async def container_keys(surroundings: AwsSurroundings, fetcher: Fetcher) -> Grant | None:
    """The keys of the container's role; None outside of one.

    Raises:
        Unreachable: there should be some.
    """
    relative, full = surroundings.container_relative_uri, surroundings.container_full_uri
    if not relative and not full:
        return None
    url = f"{_CONTAINER_HOST}{relative}" if relative else full
    try:
        origin = Origin.parse(url)
    except Misconfigured as wrong:
        raise no_keys(f"The address of the container's AWS credentials is none: {wrong.message}") from None
    if not origin.tls and origin.host not in _PLAIN_HOSTS:
        raise no_keys(
            "The address of the container's AWS credentials is neither https:// nor one of the machine's own."
        )
    token = await _container_token(surroundings)
    headers = (("Authorization", token),) if token else ()
    reply = await _fetch(fetcher, "GET", url, headers)
    if reply is None or reply.status != 200:
        raise no_keys("The container's AWS credentials cannot be had from its host.")
    return read_grant(reply.body, "The container's host")


async def instance_keys(surroundings: AwsSurroundings, fetcher: Fetcher) -> Grant | None:
    """The keys of the instance's role; None where this is no instance, or it has no role."""
    if surroundings.metadata_off:
        return None
    base = surroundings.metadata_endpoint.rstrip("/")
    wanted = (("X-aws-ec2-metadata-token-ttl-seconds", _LIFE_SECONDS),)
    reply = await _fetch(fetcher, "PUT", f"{base}/latest/api/token", wanted)
    if reply is None or reply.status != 200:
        return None
    token = (("X-aws-ec2-metadata-token", reply.body.decode("latin-1").strip()),)
    roles = await _fetch(fetcher, "GET", base + _ROLES, token)
    lines = [] if roles is None or roles.status != 200 else roles.body.decode("latin-1").split()
    if not lines or not _ROLE.fullmatch(lines[0]):
        return None
    keys = await _fetch(fetcher, "GET", base + _ROLES + lines[0], token)
    return None if keys is None or keys.status != 200 else read_grant(keys.body, "The EC2 instance")


async def _container_token(surroundings: AwsSurroundings) -> str:
    if surroundings.container_token_file:
        text = await asyncio.to_thread(read_small_file, Path(surroundings.container_token_file))
        return (text or "").strip()
    return "" if surroundings.container_token is None else surroundings.container_token.reveal()


async def _fetch(fetcher: Fetcher, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> FetchReply | None:
    try:
        return await fetcher.fetch(method, url, headers=headers, timeout_seconds=_SECONDS)
    except GatewayError:
        return None
