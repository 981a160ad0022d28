"""What the configuration and the environment say about reaching a cloud, for the deployments that need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pointsman.assembly.ibm_access import read_ibm_access
from pointsman.config.sections import LiteLLMParams
from pointsman.config.watsonx_fields import WATSONX_FIELDS
from pointsman.core.access import Access, AwsAccess, AzureAccess, GoogleAccess, IbmAccess
from pointsman.core.secret import Secret
from pointsman.providers.azure import azure_key_header
from pointsman.providers.bedrock import AwsSurroundings, names_place, profile_region, runtime_base
from pointsman.providers.google import demand_location, vertex_base
from pointsman.providers.registry import Provider

__all__ = ["gcloud_file", "key_header", "names_cloud_place", "pinned_fields", "read_access", "takes_key", "usual_base"]

_Environment = Mapping[str, str]


def read_access(params: LiteLLMParams, provider: Provider, environment: _Environment) -> Access | None:
    """The access of a deployment; None where an address and a key are all that it takes.

    What the entry says wins over the environment's variables, which are those that LiteLLM reads.
    """
    read = _READERS.get(provider.cloud)
    return None if read is None else read(params, environment)


def usual_base(access: Access | None, model: str) -> str | None:
    """The address at which a cloud serves a model, where it follows from the access; else None."""
    if isinstance(access, GoogleAccess):
        return vertex_base(access.location, model)
    return runtime_base(model, access) if isinstance(access, AwsAccess) else None


def names_cloud_place(access: Access | None, model: str) -> bool:
    """Whether a model's name says at which place of its cloud it is."""
    return isinstance(access, AwsAccess) and names_place(model)


def takes_key(access: Access | None) -> bool:
    """Whether a key is sent; in Azure a token that the operator got takes its place, as in LiteLLM, at IBM always."""
    return not (isinstance(access, IbmAccess) or (isinstance(access, AzureAccess) and access.ad_token))


def pinned_fields(params: LiteLLMParams, access: Access | None) -> Mapping[str, msgspec.Raw]:
    """The operator's fields of a body, without those that are about the access."""
    if not isinstance(access, IbmAccess):
        return params.pinned
    return {name: raw for name, raw in params.pinned.items() if name not in WATSONX_FIELDS}


def key_header(provider: Provider, api_base: str, model: str) -> str:
    """The header that bears a key for this model at this address."""
    return azure_key_header(provider.name, api_base, model) if provider.cloud == "azure" else provider.key_header


def _azure(params: LiteLLMParams, environment: _Environment) -> AzureAccess:
    return AzureAccess(
        api_version=params.api_version or environment.get("AZURE_API_VERSION"),
        responses_version=params.responses_api_version,
        ad_token=params.azure_ad_token or _secret(environment, "AZURE_AD_TOKEN"),
        tenant_id=params.tenant_id or environment.get("AZURE_TENANT_ID"),
        client_id=params.client_id or environment.get("AZURE_CLIENT_ID"),
        client_secret=params.client_secret or _secret(environment, "AZURE_CLIENT_SECRET"),
        scope=params.azure_scope or environment.get("AZURE_SCOPE"),
        authority=environment.get("AZURE_AUTHORITY_HOST"),
        token_file=environment.get("AZURE_FEDERATED_TOKEN_FILE"),
        identity_endpoint=environment.get("IDENTITY_ENDPOINT"),
        identity_secret=_secret(environment, "IDENTITY_HEADER"),
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
        session_tags=tuple((tag.Key, tag.Value) for tag in params.aws_session_tags),
        web_identity_token=params.aws_web_identity_token,
        sts_endpoint=params.aws_sts_endpoint,
        runtime_endpoint=params.aws_bedrock_runtime_endpoint or environment.get("AWS_BEDROCK_RUNTIME_ENDPOINT"),
    )


def _google(params: LiteLLMParams, environment: _Environment) -> GoogleAccess:
    projects = ("VERTEXAI_PROJECT", "VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT")
    places = ("VERTEXAI_LOCATION", "VERTEX_LOCATION")
    credentials = _secret(environment, "VERTEXAI_CREDENTIALS")
    location = params.vertex_location or _first(environment, places)
    demand_location(location)
    return GoogleAccess(
        project=params.vertex_project or _first(environment, projects),
        location=location,
        credentials=params.vertex_credentials or credentials or _secret(environment, "GOOGLE_APPLICATION_CREDENTIALS"),
        usual_file=gcloud_file(environment),
        metadata_host=environment.get("GCE_METADATA_HOST"),
    )


def gcloud_file(environment: _Environment) -> str | None:
    """Where ``gcloud auth application-default login`` leaves its credentials."""
    home, windows = environment.get("HOME"), environment.get("APPDATA")
    folder = environment.get("CLOUDSDK_CONFIG") or (f"{windows}/gcloud" if windows else None)
    folder = folder or (f"{home}/.config/gcloud" if home else None)
    return f"{folder}/application_default_credentials.json" if folder else None


def _first(environment: _Environment, names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _secret(environment: _Environment, name: str) -> Secret | None:
    value = environment.get(name)
    return Secret(value) if value else None


_READERS: Final[Mapping[str, Callable[[LiteLLMParams, _Environment], Access]]] = {
    "azure": _azure,
    "aws": _aws,
    "google": _google,
    "ibm": read_ibm_access,
}
