"""Where a model of Bedrock is, and under which id it is asked for there.

Sources: https://docs.aws.amazon.com/general/latest/gr/bedrock.html (endpoints) and
https://docs.litellm.ai/docs/providers/bedrock (``bedrock/converse/…``, ``bedrock/<region>/…``, ARNs).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.upstream import Deployment
from pointsman.wire.model_paths import demand_no_steps

__all__ = [
    "base_model",
    "count_path",
    "invoke_path",
    "model_path",
    "named_model",
    "names_place",
    "region_of",
    "runtime_base",
    "service_base",
]

_ROUTE: Final = re.compile(r"^(?:converse|converse_like|invoke)/")
_IMPORTED: Final = re.compile(r"^(?:deepseek_r1|llama|moonshot|openai|qwen2|qwen3)/(?=arn:)")
"""How LiteLLM marks the kind of a model that was imported, which Converse need not be told."""

_REGION: Final = re.compile(r"^([a-z]{2}(?:-[a-z]+){1,2}-\d{1,2})/")
_ARN: Final = re.compile(r"^arn:aws[\w-]*:[\w-]+:([a-z0-9-]+):")

_USUAL_REGION: Final = "us-west-2"
"""As in LiteLLM, where nobody names any."""

_SUFFIXES: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-iso-", "c2s.ic.gov"),
)
_decode_text: Final = msgspec.json.Decoder(str).decode


def named_model(model: str) -> str:
    """The id in a ``litellm_params.model``, without the words that only say how or where it is asked."""
    before = ""
    while before != model:
        before = model
        model = _REGION.sub("", _IMPORTED.sub("", _ROUTE.sub("", model)))
    return model


def names_place(model: str) -> bool:
    """Whether a name says where the model is. Where a wildcard stands for names, that is not for clients to say."""
    without_routes = _ROUTE.sub("", model)
    return _REGION.match(without_routes) is not None or "arn:" in without_routes


def region_of(model: str, access: AwsAccess) -> str:
    """The region of a model: what its own name says, else what is configured, else LiteLLM's usual one."""
    found = _REGION.match(_ROUTE.sub("", model)) or _ARN.match(named_model(model))
    return found[1] if found else access.region or _USUAL_REGION


def service_base(service: str, region: str) -> str:
    """The address of a service in a region."""
    suffix = next((suffix for beginning, suffix in _SUFFIXES if region.startswith(beginning)), "amazonaws.com")
    return f"https://{service}.{region}.{suffix}"


def runtime_base(model: str, access: AwsAccess) -> str:
    """The address at which a model is asked, where the deployment has no ``api_base``."""
    return access.runtime_endpoint or service_base("bedrock-runtime", region_of(model, access))


def model_path(deployment: Deployment, *, stream: bool) -> bytes:
    """The path of a conversation."""
    return _path(deployment, "converse-stream" if stream else "converse")


def invoke_path(deployment: Deployment) -> bytes:
    """The path of a request in the words of the model's maker."""
    return _path(deployment, "invoke")


def count_path(model: str) -> bytes:
    """The path of the question how many tokens a conversation is for a model, which is not asked under any other id."""
    demand_no_steps(model)
    return f"/model/{quote(model, safe='')}/count-tokens".encode()


def base_model(deployment: Deployment) -> str:
    """The model that a deployment comes down to: ``model_info.base_model`` tells where its own name does not."""
    base = deployment.told.get("base_model")
    return (_text(base) if base is not None else "") or named_model(deployment.model)


def _path(deployment: Deployment, operation: str) -> bytes:
    """``litellm_params.model_id`` wins over the model's name: an ARN, which may have slashes."""
    given = deployment.pinned.get("model_id")
    model = (_text(given) if given is not None else "") or named_model(deployment.model)
    demand_no_steps(model)
    return f"/model/{quote(model, safe='')}/{operation}".encode()


def _text(raw: msgspec.Raw) -> str:
    try:
        return _decode_text(raw)
    except msgspec.MsgspecError:
        return ""
