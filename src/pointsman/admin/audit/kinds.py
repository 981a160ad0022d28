"""What a request changes, as far as its route tells: the kind of object, what is done to it, and its id.

So that a route which tells nothing of its changes is in the log all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.admin.change import ChangeAction, TableName
from pointsman.core.identity import token_of

__all__ = ["action_of", "object_of", "table_of"]

_TABLES: Final[Mapping[str, TableName]] = MappingProxyType(
    {
        "key": "LiteLLM_VerificationToken",
        "service-account": "LiteLLM_VerificationToken",
        "team": "LiteLLM_TeamTable",
        "user": "LiteLLM_UserTable",
        "invitation": "LiteLLM_UserTable",
        "project": "LiteLLM_ProjectTable",
        "organization": "LiteLLM_OrganizationTable",
        "budget": "LiteLLM_BudgetTable",
        "customer": "LiteLLM_EndUserTable",
        "end_user": "LiteLLM_EndUserTable",
        "tag": "LiteLLM_TagTable",
        "access_group": "LiteLLM_AccessGroupTable",
        "model_group": "LiteLLM_ProxyModelTable",
        "model": "LiteLLM_ProxyModelTable",
        "credentials": "LiteLLM_CredentialsTable",
        "config": "LiteLLM_Config",
        "login": "Pointsman_Session",
        "logout": "Pointsman_Session",
        "sso": "Pointsman_Session",
        "session": "Pointsman_Session",
        "hosts": "Pointsman_Host",
        "api": "Pointsman_Host",
    }
)
"""By the first word of a path that says something."""

_DEEDS: Final[tuple[tuple[str, ChangeAction], ...]] = (
    ("unblock", "unblocked"), ("block", "blocked"), ("regenerate", "rotated"), ("rotate", "rotated"),
    ("delete", "deleted"), ("remove", "deleted"), ("logout", "deleted"), ("new", "created"), ("generate", "created"),
    ("create", "created"), ("add", "created"), ("login", "created"),
)  # fmt: skip

_NAMES: Final = (
    "key", "keys", "model_id", "id", "credential_name", "project_id", "project_ids", "team_id",
    "team_ids", "user_id", "user_ids", "organization_id",
    "organization_ids", "budget_id", "name", "access_group", "key_alias", "key_aliases", "team_alias", "user_email",
    "organization_alias", "model", "email", "username",
)  # fmt: skip
"""Fields that may say which object is meant, the surest first."""

_CHARACTERS_MAX: Final = 256
_IDS_MAX: Final = 50


def table_of(path: str) -> TableName:
    """The kind of object that a path of the table of routes is about."""
    words = (word for word in path.split("/") if not word.startswith("{"))
    return next((_TABLES[word] for word in words if word in _TABLES), "Pointsman_Other")


def action_of(method: str, path: str) -> ChangeAction:
    """What is done to it."""
    words = [part for word in path.split("/") if not word.startswith("{") for part in word.split("_")]
    for deed, action in _DEEDS:
        if deed in words:
            return action
    return "deleted" if method == "DELETE" else "created" if method == "PUT" else "updated"


def object_of(path: Mapping[str, str], fields: Mapping[str, msgspec.Raw]) -> str:
    """The id or ids of what is meant, by the path or else by the body; empty where nothing tells.

    A key is named by its digest.
    """
    if path:
        return ",".join(_shown(value) for value in path.values())[:_CHARACTERS_MAX]
    info = _decoded(fields.get("model_info"))
    if isinstance(info, dict) and isinstance(info.get("id"), str):
        return _shown(info["id"])
    for name in _NAMES:
        value = _decoded(fields.get(name))
        values = value if isinstance(value, list) else [value]
        texts = [_shown(one) for one in values[:_IDS_MAX] if isinstance(one, str) and one]
        if texts:
            return ",".join(texts)
    return ""


def _shown(text: str) -> str:
    return token_of(text) if text.startswith("sk-") else text[:_CHARACTERS_MAX]


def _decoded(raw: msgspec.Raw | None) -> object:
    try:
        value: object = None if raw is None else msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return None
    return value
