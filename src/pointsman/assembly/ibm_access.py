"""What the configuration and the environment say about reaching IBM watsonx.ai.

Variables and their order are LiteLLM's; its fields are in :mod:`pointsman.config.watsonx_fields`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.config.sections import LiteLLMParams
from pointsman.core.access import IbmAccess
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.providers.registry import WATSONX

__all__ = ["read_ibm_access"]

_PROJECTS: Final = ("WATSONX_PROJECT_ID", "WX_PROJECT_ID", "PROJECT_ID")
_SPACES: Final = ("WATSONX_DEPLOYMENT_SPACE_ID", "WATSONX_SPACE_ID", "WX_SPACE_ID", "SPACE_ID")
_DEPLOYMENT: Final = "deployment/"

_decode_text: Final = msgspec.json.Decoder(str).decode


def read_ibm_access(params: LiteLLMParams, environment: Mapping[str, str]) -> IbmAccess:
    """The access of a deployment. Of credentials, as of project and space, an entry's own leave the environment out.

    Raises:
        Misconfigured: a field is no text, or there is neither a project nor a space, which only deployments can do
            without.
    """
    token, zen = _text(params, "token"), _text(params, "zen_api_key")
    lent: Mapping[str, str] = {} if token or zen or params.api_key else environment
    key = WATSONX.key_in(lent)
    project, space = _text(params, "project_id") or _text(params, "watsonx_project"), _text(params, "space_id")
    if not project and not space:
        project, space = _first(environment, _PROJECTS), _first(environment, _SPACES)
    if not project and not space and not params.model.removeprefix("watsonx/").startswith(_DEPLOYMENT):
        raise Misconfigured(
            f"The model {params.model!r} has neither a project_id nor a space_id, and watsonx.ai wants one.",
            hint="Set WATSONX_PROJECT_ID or WATSONX_SPACE_ID, or add litellm_params.project_id.",
        )
    return IbmAccess(
        api_version=params.api_version,
        project_id=project,
        space_id=space,
        token=_secret(token or lent.get("WATSONX_TOKEN")),
        zen_api_key=_secret(zen or lent.get("WATSONX_ZENAPIKEY")),
        api_key=params.api_key or _secret(key),
        iam_url=environment.get("WATSONX_IAM_URL") or None,
    )


def _text(params: LiteLLMParams, name: str) -> str | None:
    raw = params.pinned.get(name)
    if raw is None:
        return None
    try:
        return _decode_text(raw) or None
    except msgspec.MsgspecError:
        raise Misconfigured(f"litellm_params.{name} must be a text.") from None


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _secret(value: str | None) -> Secret | None:
    return Secret(value) if value else None
