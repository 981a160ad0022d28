"""What the machine says about AWS, in the variables that all of AWS's own tools read.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from pointsman.core.secret import Secret

__all__ = ["AwsSurroundings"]


class AwsSurroundings(msgspec.Struct, frozen=True):
    """Files, roles and addresses; empty or None where nothing is said. ``profile`` is the one used unless named."""

    credentials_file: Path
    config_file: Path
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    profile: str = "default"
    role: str = ""
    role_session_name: str = ""
    web_identity_token_file: str = ""
    container_relative_uri: str = ""
    container_full_uri: str = ""
    container_token: Secret | None = None
    container_token_file: str = ""
    metadata_endpoint: str = "http://169.254.169.254"
    metadata_off: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> AwsSurroundings:
        """The surroundings that an environment tells of."""
        home = Path(environment.get("HOME") or environment.get("USERPROFILE") or ".") / ".aws"
        usual = "http://169.254.169.254"
        if environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "").lower() == "ipv6":
            usual = "http://[fd00:ec2::254]"
        return cls(
            credentials_file=_path(environment.get("AWS_SHARED_CREDENTIALS_FILE"), home / "credentials"),
            config_file=_path(environment.get("AWS_CONFIG_FILE"), home / "config"),
            access_key_id=_secret(environment.get("AWS_ACCESS_KEY_ID")),
            secret_access_key=_secret(environment.get("AWS_SECRET_ACCESS_KEY")),
            session_token=_secret(environment.get("AWS_SESSION_TOKEN")),
            profile=environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default",
            role=environment.get("AWS_ROLE_ARN", ""),
            role_session_name=environment.get("AWS_ROLE_SESSION_NAME", ""),
            web_identity_token_file=environment.get("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
            container_relative_uri=environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ""),
            container_full_uri=environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""),
            container_token=_secret(environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")),
            container_token_file=environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ""),
            metadata_endpoint=environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or usual,
            metadata_off=environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true",
        )


def _path(given: str | None, usual: Path) -> Path:
    if not given:
        return usual
    return usual.parent.parent / given[2:] if given.startswith("~/") else Path(given)


def _secret(given: str | None) -> Secret | None:
    return Secret(given) if given else None
