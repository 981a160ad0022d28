"""The routes of what is stored beside the file: models, credentials, and how that differs from the file."""

from __future__ import annotations

from typing import Any, Final

from pointsman.admin import configuration
from pointsman.admin.credentials import handlers as credentials
from pointsman.admin.credentials import rotation
from pointsman.admin.models import storing
from pointsman.admin.office import ConfigDifference
from pointsman.admin.route import Nothing, Route
from pointsman.core.identity import Scope

__all__ = ["STORED_ROUTES"]

STORED_ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        "POST", ("/model/new",), Scope.ADMIN, storing.new_model,
        summary="Add a model", tier="litellm",
        query=Nothing, body=storing.NewModelRequest, reply=storing.StoredModelRow,
    ),
    Route(
        "POST", ("/model/update",), Scope.ADMIN, storing.update_model,
        summary="Change a stored model", tier="litellm",
        query=Nothing, body=storing.UpdateModelRequest, reply=storing.StoredModelRow,
    ),
    Route(
        "PATCH", ("/model/{model_id}/update",), Scope.ADMIN, storing.patch_model,
        summary="Change a stored model, by its id", tier="litellm",
        query=Nothing, body=storing.PatchModelRequest, reply=storing.StoredModelRow,
    ),
    Route(
        "POST", ("/model/delete",), Scope.ADMIN, storing.delete_model,
        summary="Delete a stored model", tier="litellm",
        query=Nothing, body=storing.DeleteModelRequest, reply=storing.DeletedModelReply,
    ),
    *(
        Route(
            "POST", (f"/model/{verb}",), Scope.ADMIN, handler,
            summary=f"{verb.capitalize()} a stored model", tier="litellm",
            query=Nothing, body=storing.BlockModelRequest, reply=storing.StoredModelRow,
        )
        for verb, handler in (("block", storing.block_model), ("unblock", storing.unblock_model))
    ),
    Route(
        "POST", ("/credentials",), Scope.ADMIN, credentials.create_credential,
        summary="Store a credential", tier="litellm",
        query=Nothing, body=credentials.CreateCredentialRequest, reply=credentials.CredentialReply,
    ),
    Route(
        "GET", ("/credentials",), Scope.VIEWER, credentials.list_credentials,
        summary="All credentials, masked", tier="litellm",
        query=Nothing, body=Nothing, reply=credentials.CredentialsReply,
    ),
    Route(
        "GET", ("/credentials/by_name/{credential_name:path}",), Scope.VIEWER, credentials.credential_by_name,
        summary="One credential, masked", tier="litellm", query=Nothing, body=Nothing, reply=credentials.CredentialView,
    ),
    Route(
        "GET", ("/credentials/by_model/{model_id}",), Scope.VIEWER, credentials.credential_by_model,
        summary="What a deployment is reached with, masked", tier="litellm",
        query=Nothing, body=Nothing, reply=credentials.CredentialItem,
    ),
    Route(
        "POST", ("/credentials/migrate-encryption",), Scope.ADMIN, rotation.rotate_keys,
        summary="Encrypt what is stored with the first key", tier="litellm",
        query=rotation.MigrationQuery, body=Nothing, reply=rotation.MigrationReply,
    ),
    Route(
        "GET", ("/credentials/migrate-encryption/check",), Scope.VIEWER, rotation.check_keys,
        summary="How much needs another key than the first", tier="litellm",
        query=Nothing, body=Nothing, reply=rotation.MigrationReply,
    ),
    Route(
        "PATCH", ("/credentials/{credential_name:path}",), Scope.ADMIN, credentials.update_credential,
        summary="Change a stored credential", tier="litellm",
        query=Nothing, body=credentials.UpdateCredentialRequest, reply=credentials.CredentialReply,
    ),
    Route(
        "DELETE", ("/credentials/{credential_name:path}",), Scope.ADMIN, credentials.delete_credential,
        summary="Delete a stored credential", tier="litellm",
        query=Nothing, body=Nothing, reply=credentials.CredentialReply,
    ),
    Route(
        "GET", ("/config/diff",), Scope.VIEWER, configuration.config_difference,
        summary="How what is served differs from the file", tier="pointsman",
        query=Nothing, body=Nothing, reply=ConfigDifference,
    ),
    Route(
        "POST", ("/config/update", "/config/field/update", "/config/field/delete", "/config/callback/delete"),
        Scope.ADMIN, configuration.refuse_change,
        summary="Refused: settings are changed in the file", tier="litellm",
        query=Nothing, body=configuration.ConfigChange,
    ),
)  # fmt: skip
