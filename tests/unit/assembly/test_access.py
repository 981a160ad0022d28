"""What a deployment in a cloud is reached with, as the entry and the environment say it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.assembly.access import read_access
from pointsman.assembly.deployments import Configured, configured
from pointsman.catalog.lookup import Catalog
from pointsman.config.sections import (
    LiteLLMParams,
    ModelEntry,
    ModelInfo,
    Settings,
)
from pointsman.core.access import AzureAccess, GoogleAccess, IbmAccess
from pointsman.core.errors import Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Operation
from pointsman.providers.azure import azure_responses_relay
from pointsman.providers.registry import AZURE, OLLAMA, VERTEX
from pointsman.providers.tokens import TokenBook
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher


def made(environment: dict[str, str] | None = None, base_model: str | None = None, **params: Any) -> Configured:
    info = ModelInfo(base_model=base_model)
    entry = ModelEntry(model_name="m", litellm_params=LiteLLMParams(**params), model_info=info)
    return configured(Settings(model_list=(entry,)), environment or {}, Catalog())


def revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def test_azures_variables_stand_in_for_what_the_entry_does_not_say() -> None:
    environment = {
        "AZURE_API_VERSION": "v1",
        "AZURE_TENANT_ID": "theirs",
        "AZURE_CLIENT_SECRET": "s",
        "AZURE_AUTHORITY_HOST": "https://login.example",
        "AZURE_FEDERATED_TOKEN_FILE": "/token",
    }
    access = read_access(LiteLLMParams(model="azure/x", tenant_id="ours"), AZURE, environment)
    assert isinstance(access, AzureAccess)
    assert (access.api_version, access.tenant_id, revealed(access.client_secret)) == ("v1", "ours", "s")
    assert (access.authority, access.token_file) == ("https://login.example", "/token")


def test_responses_may_have_a_version_of_their_own() -> None:
    params: dict[str, Any] = {"api_version": "2024-10-21", "api_base": "https://r.openai.azure.com"}
    own = made(model="azure/x", api_key=Secret("k"), responses_api_version="preview", **params)
    (deployment,) = own.deployments
    assert isinstance(deployment.access, AzureAccess) and deployment.access.responses_version == "preview"
    book = TokenBook(ScriptedFetcher(), Nursery(lambda _name, _error: None), FakeClock())
    relay = azure_responses_relay(deployment, book)
    ask = Ask(Operation.RESPONSES, "m", {"input": msgspec.Raw(b'"Hi"')})
    assert relay is not None and relay.write(ask).path == b"/openai/v1/responses?api-version=preview"
    (usual,) = made(model="azure/x", api_key=Secret("k"), **params).deployments
    assert azure_responses_relay(usual, book) is None


def test_google_is_found_where_gcloud_leaves_it() -> None:
    access = read_access(LiteLLMParams(model="vertex_ai/x"), VERTEX, {"HOME": "/ada", "VERTEXAI_PROJECT": "p"})
    assert isinstance(access, GoogleAccess)
    assert (access.project, access.location, access.credentials) == ("p", None, None)
    assert access.usual_file == "/ada/.config/gcloud/application_default_credentials.json"
    moved = read_access(LiteLLMParams(model="vertex_ai/x"), VERTEX, {"CLOUDSDK_CONFIG": "/c", "HOME": "/ada"})
    assert isinstance(moved, GoogleAccess) and moved.usual_file == "/c/application_default_credentials.json"


def test_others_need_no_access() -> None:
    assert read_access(LiteLLMParams(model="ollama/x"), OLLAMA, {}) is None


def test_a_location_of_vertex_makes_the_address() -> None:
    deployment = made(model="vertex_ai/gemini-2.5-flash", vertex_location="europe-west4").deployments[0]
    assert deployment.api_base == "https://europe-west4-aiplatform.googleapis.com"
    assert deployment.price is not None
    with pytest.raises(Misconfigured, match="vertex_location"):
        made(model="vertex_ai/gemini-2.5-flash", vertex_location="evil/", api_base="https://proxy")


def test_azure_needs_an_address_and_takes_its_price_from_the_base_model() -> None:
    with pytest.raises(Misconfigured, match="no api_base"):
        made(model="azure/my-deployment")
    environment = {"AZURE_API_BASE": "https://r.openai.azure.com", "AZURE_API_KEY": "k"}
    unknown = made(environment, model="azure/my-deployment").deployments[0]
    assert (unknown.price, unknown.key_header, revealed(unknown.api_key)) == (None, "api-key", "k")
    known = made(environment, "azure/gpt-4o", model="azure/my-deployment").deployments[0]
    assert known.price is not None and known.charges


def test_a_token_of_azures_is_sent_in_place_of_a_key() -> None:
    environment = {"AZURE_API_KEY": "k", "AZURE_AD_TOKEN": "t"}
    deployment = made(environment, model="azure/x", api_base="https://r.openai.azure.com").deployments[0]
    assert deployment.api_key is None and isinstance(deployment.access, AzureAccess)
    assert revealed(deployment.access.ad_token) == "t"


def test_geminis_key_goes_in_a_header_of_its_own() -> None:
    deployment = made({"GEMINI_API_KEY": "g"}, model="gemini/gemini-2.5-flash").deployments[0]
    assert (deployment.key_header, revealed(deployment.api_key)) == ("x-goog-api-key", "g")
    assert deployment.api_base == "https://generativelanguage.googleapis.com"


def watsonx(environment: dict[str, str], pinned: dict[str, str] | None = None, **params: Any) -> IbmAccess:
    raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in (pinned or {}).items()}
    base = {"WX_URL": "https://us-south.ml.cloud.ibm.com/"}
    deployment = made(base | environment, **{"model": "watsonx/ibm/granite", "pinned": raws} | params).deployments[0]
    assert (deployment.api_base, deployment.api_key) == ("https://us-south.ml.cloud.ibm.com", None)
    assert not {"project_id", "space_id", "token", "watsonx_project", "zen_api_key"} & deployment.pinned.keys()
    assert isinstance(deployment.access, IbmAccess)
    return deployment.access


def test_watsonx_is_reached_with_what_the_environment_has() -> None:
    access = watsonx({
        "WX_API_KEY": "third", "WATSONX_APIKEY": "first", "WX_PROJECT_ID": "p", "SPACE_ID": "s",
        "WATSONX_IAM_URL": "https://iam.example/token",
    })  # fmt: skip
    assert (revealed(access.api_key), access.project_id, access.space_id) == ("first", "p", "s")
    assert access.iam_url == "https://iam.example/token"
    assert revealed(watsonx({"WATSONX_TOKEN": "t", "PROJECT_ID": "p"}).token) == "t"
    assert revealed(watsonx({"WATSONX_ZENAPIKEY": "z", "WATSONX_SPACE_ID": "s"}).zen_api_key) == "z"


def test_what_an_entry_says_of_watsonx_leaves_the_environment_out() -> None:
    environment = {"WATSONX_TOKEN": "theirs", "WATSONX_PROJECT_ID": "theirs", "WATSONX_APIKEY": "theirs"}
    access = watsonx(environment, {"space_id": "ours", "zen_api_key": "ours"}, api_version="2025-02-11")
    assert (access.token, access.api_key, revealed(access.zen_api_key)) == (None, None, "ours")
    assert (access.project_id, access.space_id, access.api_version) == (None, "ours", "2025-02-11")
    keyed = watsonx(environment, {"watsonx_project": "ours"}, api_key=Secret("ours"))
    assert (keyed.token, revealed(keyed.api_key), keyed.project_id) == (None, "ours", "ours")


def test_watsonx_wants_to_know_who_pays_save_for_deployments() -> None:
    assert watsonx({}, model="watsonx/deployment/id").project_id is None
    with pytest.raises(Misconfigured, match="neither a project_id nor a space_id"):
        watsonx({"WATSONX_APIKEY": "k"})
    with pytest.raises(Misconfigured, match="token must be a text"):
        made({"WX_URL": "https://x.example"}, model="watsonx/m", pinned={"token": msgspec.Raw(b"7")})


def test_fields_of_watsonx_are_those_of_a_body_for_everybody_else() -> None:
    pinned = {"project_id": msgspec.Raw(b'"p"')}
    assert made(model="openai/gpt-4o", pinned=pinned).deployments[0].pinned == pinned
