"""What a deployment in somebody's cloud is reached with, beyond an address and a key.

Each kind is named as LiteLLM's ``litellm_params`` name its parts; what is None is found where that cloud's own tools
find it, by the provider.
"""

from __future__ import annotations

import msgspec

from pointsman.core.secret import Secret

__all__ = ["Access", "AwsAccess", "AzureAccess", "GoogleAccess", "IbmAccess"]


class AzureAccess(msgspec.Struct, frozen=True, tag=True):
    """Azure OpenAI: the version of its API, and for Microsoft Entra a token or what one is got with.

    ``responses_version`` is the version for responses where that is another one.
    ``authority`` is Entra's address, ``token_file`` holds what a federated identity proves itself with,
    ``identity_endpoint`` and its secret are how an App Service asks what it is.
    """

    api_version: str | None = None
    responses_version: str | None = None
    ad_token: Secret | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    scope: str | None = None
    authority: str | None = None
    token_file: str | None = None
    identity_endpoint: str | None = None
    identity_secret: Secret | None = None


class AwsAccess(msgspec.Struct, frozen=True, tag=True):
    """Amazon Bedrock: keys, or a profile, or a role to take, with tags (names and values) for its session."""

    region: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    profile: str | None = None
    role: str | None = None
    session_name: str | None = None
    external_id: str | None = None
    session_tags: tuple[tuple[str, str], ...] = ()
    web_identity_token: Secret | None = None
    sts_endpoint: str | None = None
    runtime_endpoint: str | None = None


class GoogleAccess(msgspec.Struct, frozen=True, tag=True):
    """Vertex AI: the project, the place, and credentials as JSON or the path of a file with them.

    ``usual_file`` is where gcloud leaves those of a person, ``metadata_host`` tells a machine of Google's what it is.
    """

    project: str | None = None
    location: str | None = None
    credentials: Secret | None = None
    usual_file: str | None = None
    metadata_host: str | None = None


class IbmAccess(msgspec.Struct, frozen=True, tag=True):
    """IBM watsonx.ai: the project or space that pays, and a token, a Zen key, or the API key that a token is got with.

    ``iam_url`` is the address of the token service.
    """

    api_version: str | None = None
    project_id: str | None = None
    space_id: str | None = None
    token: Secret | None = None
    zen_api_key: Secret | None = None
    api_key: Secret | None = None
    iam_url: str | None = None


Access = AzureAccess | AwsAccess | GoogleAccess | IbmAccess
