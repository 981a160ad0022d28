"""What the configuration and the environment say about reaching a cloud, for the deployments that need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pointsman.config.sections import LiteLLMParams
from pointsman.core.access import Access, AwsAccess, AzureAccess, GoogleAccess
from pointsman.core.secret import Secret
from pointsman.providers.bedrock import AwsSurroundings, names_place, profile_region, runtime_base
from pointsman.providers.registry import Provider

__all__ = ["names_cloud_place", "read_access", "usual_base"]

_Environment = Mapping[str, str]


def read_access(params: LiteLLMParams, provider: Provider, environment: _Environment) -> Access | None:
    """The access of a deployment; None where an address and a key are all that it takes.

    What the entry says wins over the environment's variables, which are those that LiteLLM reads.
    """
    read = _READERS.get(provider.cloud)
    return None if read is None else read(params, environment)


def usual_base(access: Access | None, model: str) -> str | None:
    """The address at which a cloud serves a model, where it follows from the access; else None."""
    return runtime_base(model, access) if isinstance(access, AwsAccess) else None


def names_cloud_place(access: Access | None, model: str) -> bool:
    """Whether a model's name says at which place of its cloud it is."""
    return isinstance(access, AwsAccess) and names_place(model)


def _azure(params: LiteLLMParams, environment: _Environment) -> AzureAccess:
    return AzureAccess(
        api_version=params.api_version or environment.get("AZURE_API_VERSION"),
        ad_token=params.azure_ad_token or _secret(environment, "AZURE_AD_TOKEN"),
        tenant_id=params.tenant_id or environment.get("AZURE_TENANT_ID"),
        client_id=params.client_id or environment.get("AZURE_CLIENT_ID"),
        client_secret=params.client_secret or _secret(environment, "AZURE_CLIENT_SECRET"),
        scope=params.azure_scope or environment.get("AZURE_SCOPE"),
    )


def _aws(params: LiteLLMParams, environment: _Environment) -> AwsAccess:
    names = ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")
    region = params.aws_region_name or next((environment[name] for name in names if environment.get(name)), None)
    if region is None:
        region = profile_region(params.aws_profile_name, AwsSurroundings.read(environment))
    # Halves of different credentials do not go together: who says some here is not given the rest by the environment.
    rest: _Environment = {} if params.aws_access_key_id or params.aws_profile_name else environment
    return AwsAccess(
        region=region,
        access_key_id=params.aws_access_key_id or _secret(rest, "AWS_ACCESS_KEY_ID"),
        secret_access_key=params.aws_secret_access_key or _secret(rest, "AWS_SECRET_ACCESS_KEY"),
        session_token=params.aws_session_token or _secret(rest, "AWS_SESSION_TOKEN"),
        profile=params.aws_profile_name or rest.get("AWS_PROFILE"),
        role=params.aws_role_name,
        session_name=params.aws_session_name,
        external_id=params.aws_external_id,
        web_identity_token=params.aws_web_identity_token,
        sts_endpoint=params.aws_sts_endpoint,
        runtime_endpoint=params.aws_bedrock_runtime_endpoint or environment.get("AWS_BEDROCK_RUNTIME_ENDPOINT"),
    )


def _google(params: LiteLLMParams, environment: _Environment) -> GoogleAccess:
    return GoogleAccess(
        project=params.vertex_project or environment.get("VERTEXAI_PROJECT"),
        location=params.vertex_location or environment.get("VERTEXAI_LOCATION"),
        credentials=params.vertex_credentials or _secret(environment, "GOOGLE_APPLICATION_CREDENTIALS"),
    )


def _secret(environment: _Environment, name: str) -> Secret | None:
    value = environment.get(name)
    return Secret(value) if value else None


_READERS: Final[Mapping[str, Callable[[LiteLLMParams, _Environment], Access]]] = {
    "azure": _azure,
    "aws": _aws,
    "google": _google,
}
