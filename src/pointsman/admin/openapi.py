"""The OpenAPI 3.1 document, made from the table of routes and the paths of the inference server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pointsman.admin.inference_shapes import INFERENCE_FORMS, INFERENCE_SHAPES, INFERENCE_SUMMARIES
from pointsman.admin.office import InferencePath, Office
from pointsman.admin.route import Nothing, Route
from pointsman.core.identity import Scope

__all__ = [
    "ErrorDetail",
    "ErrorReply",
    "Json",
    "openapi_document",
]

Json = dict[str, Any]

_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_ANY_FILE: Final = "application/octet-stream"
_REFERENCE: Final = "#/components/schemas/{name}"
_PATH_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_URL_FORM: Final = "application/x-www-form-urlencoded"
_TAGS: Final = {"models": "models", "model": "models", "model_group": "models", "utils": "models", "key": "keys",
                "budget": "budgets", "customer": "customers", "end_user": "customers", "tag": "tags",
                "access_group": "access groups",
                "spend": "spend", "global": "spend", "health": "health", "metrics": "health", "traffic": "routing",
                "responses": "responses", "conversations": "responses", "login": "sign-in", "sso": "sign-in",
                "session": "sign-in", "sessions": "sign-in", "logout": "sign-in", "ui": "sign-in",
                "invitation": "sign-in", "onboarding": "sign-in", "fallback": "sign-in"}  # fmt: skip


class ErrorDetail(msgspec.Struct):
    """What went wrong, what to do about it, the field at fault, and the id to look for in the log."""

    message: str
    type: str
    param: str | None
    code: str
    litellm_call_id: str | None = None


class ErrorReply(msgspec.Struct):
    """Every failure looks like this, as OpenAI's do."""

    error: ErrorDetail


def openapi_document(table: Sequence[Route[Any, Any]], office: Office) -> bytes:
    """The document as JSON."""
    schemas = _Schemas(table, office.inference_paths)
    paths: dict[str, Json] = {}
    for one in office.inference_paths:
        paths.setdefault(_plain(one.path), {})["post"] = _inference_operation(one, schemas)
    for route in table:
        for path in route.paths:
            paths.setdefault(_plain(path), {})[route.method.lower()] = _operation(route, path, schemas)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman",
            "version": office.version,
            "description": "Local models and cloud providers behind one OpenAI-compatible API.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }
    return msgspec.json.encode(document)


def _whatever_json_has(kind: type) -> Json:
    """The schema of a value that is only handed on."""
    if kind is object:
        return {"description": "whatever JSON has"}
    raise NotImplementedError(f"{kind} has no schema")


class _Schemas:
    """JSON Schemas of every type that a route names; equal types share one component."""

    def __init__(self, table: Sequence[Route[Any, Any]], inference: Sequence[InferencePath]) -> None:
        wanted: list[Any] = [ErrorReply]
        for route in table:
            wanted += [kind for kind in (route.body, route.query, *route.replies) if kind is not Nothing]
        for operation in dict.fromkeys(one.operation for one in inference):
            wanted += [kind for kind in INFERENCE_SHAPES[operation] if kind is not None]
        found, self.components = msgspec.json.schema_components(
            wanted, ref_template=_REFERENCE, schema_hook=_whatever_json_has
        )
        self._found = dict(zip(map(repr, wanted), found, strict=True))

    def of(self, kind: object) -> Json:
        """The schema of a type, usually a reference."""
        return self._found[repr(kind)]

    def any_of(self, kinds: Sequence[object]) -> Json | None:
        """The schema of something that is of one of these types; None for none."""
        found = [self.of(kind) for kind in kinds]
        return found[0] if len(found) == 1 else {"anyOf": found} if found else None

    def fields(self, kind: type[msgspec.Struct]) -> tuple[Json, frozenset[str]]:
        """The properties of a struct, and which of them are required."""
        schema = self.components[self.of(kind)["$ref"].rpartition("/")[2]]
        return schema["properties"], frozenset(schema.get("required", ()))


def _operation(route: Route[Any, Any], path: str, schemas: _Schemas) -> Json:
    found: Json = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-zA-Z0-9]+', '_', path)}",
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip().partition("\n")[0],
        "tags": [_tag(path)],
        "x-pointsman-scope": route.scope.value,
        "x-pointsman-tier": route.tier,
        "parameters": [*_path_parameters(path), *_query_parameters(route, schemas)],
        "responses": _responses(route.scope, schemas, schemas.any_of(route.replies)),
    }
    if route.scope is not Scope.PUBLIC:
        found["security"] = [{"bearer": []}, {"api_key": []}]
    if route.takes_body:
        form = _URL_FORM if route.form else _JSON
        found["requestBody"] = _content(schemas.of(route.body), form) | {"required": not route.body_optional}
    return found


def _inference_operation(one: InferencePath, schemas: _Schemas) -> Json:
    takes, gives = INFERENCE_SHAPES[one.operation]
    responses = _responses(Scope.INFERENCE, schemas, None if gives is None else schemas.of(gives))
    if gives is None:
        responses["200"] = {"description": "Done"} | _content({"type": "string", "format": "binary"}, _ANY_FILE)
    return {
        "operationId": f"post{re.sub(r'[^a-zA-Z0-9]+', '_', one.path)}",
        "summary": INFERENCE_SUMMARIES[one.operation],
        "tags": ["inference"],
        "x-pointsman-scope": Scope.INFERENCE.value,
        "x-pointsman-tier": "openai",
        "security": [{"bearer": []}, {"api_key": []}],
        "parameters": _path_parameters(one.path),
        "requestBody": _content(schemas.of(takes), _FORM if one.operation in INFERENCE_FORMS else _JSON)
        | {"required": True},
        "responses": responses,
    }


def _responses(scope: Scope, schemas: _Schemas, reply: Json | None) -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    success = {"description": "Done"} | ({"content": text} if reply is None else _content(reply))
    failures = {"default": "Refused or failed"} if scope is Scope.PUBLIC else {
        "401": "No key, or one that is not known or has expired", "403": "Not with this key", "default": "Failed",
    }  # fmt: skip
    error = _content(schemas.of(ErrorReply))
    return {"200": success} | {status: {"description": why} | error for status, why in failures.items()}


def _content(schema: Json, media_type: str = _JSON) -> Json:
    return {"content": {media_type: {"schema": schema}}}


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(path)
    ]


def _query_parameters(route: Route[Any, Any], schemas: _Schemas) -> list[Json]:
    if issubclass(route.query, Nothing):
        return []
    properties, required = schemas.fields(route.query)
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in properties.items()
    ]


def _plain(path: str) -> str:
    return _PATH_PARAMETER.sub(r"{\1}", path)


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part and part not in {"v1", "v2", "openai"}]
    return _TAGS.get(parts[0] if parts else "", "gateway")
