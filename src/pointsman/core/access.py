"""What a deployment in somebody's cloud is reached with, beyond an address and a key.

Each kind is named as LiteLLM's ``litellm_params`` name its parts; what is None is found where that cloud's own tools
find it, by the provider.
"""

from __future__ import annotations

import msgspec

from pointsman.core.secret import Secret

__all__ = ["Access", "AwsAccess", "AzureAccess", "GoogleAccess"]


class AzureAccess(msgspec.Struct, frozen=True, tag=True):
    """Azure OpenAI: the version of its API, and for Microsoft Entra a token or what one is got with."""

    api_version: str | None = None
    ad_token: Secret | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    scope: str | None = None


class AwsAccess(msgspec.Struct, frozen=True, tag=True):
    """Amazon Bedrock: keys, or a profile, or a role to take."""

    region: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    profile: str | None = None
    role: str | None = None
    session_name: str | None = None
    external_id: str | None = None
    web_identity_token: Secret | None = None
    sts_endpoint: str | None = None
    runtime_endpoint: str | None = None


class GoogleAccess(msgspec.Struct, frozen=True, tag=True):
    """Vertex AI: the project, the place, and a service account as JSON or the path of a file with it."""

    project: str | None = None
    location: str | None = None
    credentials: Secret | None = None


Access = AzureAccess | AwsAccess | GoogleAccess
