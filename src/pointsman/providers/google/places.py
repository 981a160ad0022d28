"""Where Google takes which request.

Sources: https://ai.google.dev/api, https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations (hosts),
…/docs/reference/rest (Gemini), …/docs/partner-models/claude/use-claude (``rawPredict``), …/docs/start/openai (the
endpoint that speaks OpenAI's dialect).
"""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import quote

from pointsman.core.access import GoogleAccess
from pointsman.core.errors import Misconfigured
from pointsman.core.upstream import Deployment
from pointsman.providers.tokens import Credential
from pointsman.providers.tokens.credential import credentials_refused
from pointsman.providers.transport import Origin
from pointsman.wire.model_paths import demand_no_steps

__all__ = ["Family", "VertexPlace", "demand_location", "family_of", "gemini_root", "model_in_vertex", "ranks",
           "vertex_base"]  # fmt: skip

Family = Literal["gemini", "anthropic", "mistralai", "ai21", "openapi"]
"""Whose dialect a model of Vertex AI speaks; ``openapi`` is the endpoint for OpenAI's."""

_LOCATION: Final = "us-central1"
"""Where nobody says; as in LiteLLM."""

_PLACE: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_VERSIONED: Final = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?$")
_OPENAPI: Final = ("deepseek-ai/", "meta/", "minimaxai/", "moonshotai/", "openai/", "qwen/", "xai/", "zai-org/",
                   "google/gemma-", "openapi/")  # fmt: skip
_MISTRALS: Final = ("mistral", "codestral", "ministral")
_TUNED: Final = "gemini/"
_RANKERS: Final = "semantic-ranker-"
"""https://cloud.google.com/generative-ai-app-builder/docs/ranking"""


def demand_location(location: str | None) -> None:
    """Refuse what cannot be a location.

    Raises:
        Misconfigured: it would name another host, or another path.
    """
    _location_of(location)


def vertex_base(location: str | None, model: str = "") -> str:
    """The address for a location: a region, a group of them (``eu``), or ``global``; a model that ranks has its own."""
    if ranks(model):
        return "https://discoveryengine.googleapis.com"
    place = _location_of(location)
    if place == "global":
        return "https://aiplatform.googleapis.com"
    if "-" not in place:
        return f"https://aiplatform.{place}.rep.googleapis.com"
    return f"https://{place}-aiplatform.googleapis.com"


def ranks(model: str) -> bool:
    """Whether a model ranks documents, by its name."""
    return model.startswith(_RANKERS)


def _location_of(location: str | None) -> str:
    """The location to be named in a path.

    Raises:
        Misconfigured: it cannot be one, so it would name another host.
    """
    place = location or _LOCATION
    if not _PLACE.fullmatch(place):
        raise Misconfigured(
            f"vertex_location {place!r} is no location of Google Cloud.", hint="Write it like us-central1 or global."
        )
    return place


def gemini_root(api_base: str) -> str:
    """The version of the API, where ``api_base`` does not already lead to one."""
    return "" if Origin.parse(api_base).path else "/v1beta"


def family_of(deployment: Deployment) -> Family:
    """Whose dialect a deployment on Vertex AI is asked in; judged by the model's name, as in LiteLLM."""
    model = deployment.model
    if model.startswith("claude"):
        return "anthropic"
    if model.startswith(_OPENAPI):
        return "openapi"
    if model.startswith(_MISTRALS):
        return "mistralai"
    return "ai21" if model.startswith("jamba") else "gemini"


def model_in_vertex(deployment: Deployment) -> str:
    """The model's name in a body; a version behind ``@`` stands in the path only."""
    if _own_endpoint(deployment.model):
        return ""
    model = deployment.model.removeprefix("openapi/").removeprefix(_TUNED)
    return model.partition("@")[0] if family_of(deployment) in {"mistralai", "ai21"} else model


def _own_endpoint(model: str) -> str:
    """The number of an endpoint of one's own that speaks OpenAI's dialect (``openai/1234``), or nothing."""
    number = model.removeprefix("openai/")
    return number if number != model and number.isdecimal() else ""


class VertexPlace:
    """Where one deployment's requests go, below its ``api_base``. Its credential must have been prepared before."""

    def __init__(self, deployment: Deployment, access: GoogleAccess, credential: Credential) -> None:
        self._deployment = deployment
        self._access = access
        self._credential = credential

    def model_path(self, deployment: Deployment, verb: str) -> bytes:
        """The path of a model, or of one's own endpoint where the model is a number."""
        family = family_of(deployment)
        model = deployment.model.removeprefix(_TUNED)
        demand_no_steps(model)
        if family == "gemini" and model.isdecimal():
            return f"{self.root()}/endpoints/{model}:{verb}".encode("ascii")
        return self.publisher_path("google" if family == "gemini" else family, model, verb)

    def publisher_path(self, publisher: str, model: str, verb: str) -> bytes:
        """The path of what somebody offers under a name."""
        return f"{self.root()}/publishers/{publisher}/models/{quote(model, safe='@.')}:{verb}".encode("ascii")

    def chat_path(self, *, stream: bool) -> bytes:
        """The path of a model that speaks OpenAI's dialect."""
        demand_no_steps(self._deployment.model)
        own = _own_endpoint(self._deployment.model)
        if own:
            return f"{self.root('v1beta1')}/endpoints/{own}/chat/completions".encode("ascii")
        if family_of(self._deployment) == "openapi":
            return f"{self.root()}/endpoints/openapi/chat/completions".encode("ascii")
        return self.model_path(self._deployment, "streamRawPredict" if stream else "rawPredict")

    def root(self, version: str = "v1") -> str:
        """The path of the project in its location.

        Raises:
            Rejected: nobody says which project.
        """
        project = self.project()
        is_held = _VERSIONED.search(Origin.parse(self._deployment.api_base).path)
        place = f"/projects/{quote(project, safe=':.')}/locations/{_location_of(self._access.location)}"
        return place if is_held else f"/{version}{place}"

    def ranking_path(self) -> bytes:
        """The path of rankings, which are a service of their own, with one location."""
        place = f"/v1/projects/{quote(self.project(), safe=':.')}/locations/global"
        return f"{place}/rankingConfigs/default_ranking_config:rank".encode("ascii")

    def project(self) -> str:
        """The project.

        Raises:
            Rejected: nobody says which.
        """
        project = self._access.project or self._credential.project()
        if not project:
            raise credentials_refused(
                "No project is known for this deployment on Vertex AI.",
                "Set vertex_project for it, or VERTEXAI_PROJECT where the gateway is started.",
            )
        return project
