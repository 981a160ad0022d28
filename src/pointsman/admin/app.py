"""From the table of routes to an ASGI app: match, authorise, read, handle, answer."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as PathRoute
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from pointsman.admin.audit.recording import Recorder
from pointsman.admin.authority import authorise
from pointsman.admin.bodies import read_bytes, read_form, read_query, read_struct
from pointsman.admin.failures import CALL_ID, failure_handlers
from pointsman.admin.keys.defaults import demand_usable_defaults
from pointsman.admin.office import Office
from pointsman.admin.openapi import openapi_document
from pointsman.admin.pages.documentation import documentation_page
from pointsman.admin.people.defaults import demand_usable_people_defaults
from pointsman.admin.route import Answer, Route, Site, Visit
from pointsman.admin.sign_in.desk import SignedIn
from pointsman.admin.table import routes, table_for
from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError
from pointsman.core.identity import Scope
from pointsman.policies.keyring import query_key
from pointsman.policies.sign_in.browser import Sender

__all__ = ["make_app"]

_LISTS: Final = ("expand", "tag_filters")
"""Parameters that LiteLLM takes several times."""

_GEMINI_STARTS: Final = ("/v1beta/", "/v1alpha/", "/gemini/")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_PROBES: Final = frozenset({"/health/liveliness", "/health/liveness", "/health/readiness"})
"""Asked by whoever watches the process, from wherever that is."""
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def make_app(office: Office) -> ASGIApp:
    """The management API over these parts.

    Raises:
        Misconfigured: a default of the office is what no key, user or team can have.
    """
    demand_usable_defaults(office.key_defaults)
    demand_usable_people_defaults(office)
    table = table_for(office)
    page, policy = documentation_page()
    facts = routes(table, office.inference_paths)
    # Made when somebody asks for it: the schemas of all types would delay the start.
    document = functools.cache(lambda: openapi_document(table, office))
    site = Site(document, page, policy, facts)
    by_path: dict[str, dict[str, Route[Any, Any]]] = {}
    for route in table:
        for path in route.paths:
            by_path.setdefault(path, {})[route.method] = route
    recorder = Recorder(office)
    app = Starlette(
        routes=[PathRoute(path, _Operations(office, site, methods, recorder)) for path, methods in by_path.items()],
        exception_handlers=failure_handlers(tuple(fact.path for fact in facts)),
    )
    # A redirect to or from a trailing slash would be built from the Host header, which the client writes.
    app.router.redirect_slashes = False
    return _Stamped(app, office.version)


class _Operations:
    """The routes of one path, by method."""

    def __init__(
        self, office: Office, site: Site, routes_by_method: Mapping[str, Route[Any, Any]], recorder: Recorder
    ) -> None:
        self._office = office
        self._site = site
        self._recorder = recorder
        self._routes = dict(routes_by_method)
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["method"])
        if route is None:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self._routes))})
        request = Request(scope, receive)
        if route.audited:
            answer = await self._recorded(route, request)
        else:
            visit = await self._read(route, request, scope)
            answer = await route.handler(self._office, visit)
            if visit.changes:
                # Who comes back from an identity provider does so with a GET, and is given roles and teams by it.
                await self._recorder.let_in(route, request, visit, answer)
        await _rendered(answer)(scope, receive, send)

    async def _recorded(self, route: Route[Any, Any], request: Request) -> Answer:
        """The answer to a request that may change something, with its entry in the audit log."""
        try:
            visit = await self._read(route, request, request.scope)
        except GatewayError as error:
            await self._recorder.turned_away(route, request, error)
            raise
        if route.scope is Scope.PUBLIC:
            return await self._recorded_afterwards(route, request, visit)
        entry = await self._recorder.begin(route, request, visit)
        try:
            answer = await route.handler(self._office, visit)
        except GatewayError as error:
            await self._recorder.failed(entry, visit.changes, error)
            raise
        await self._recorder.complete(entry, visit.changes, answer)
        return answer

    async def _read(self, route: Route[Any, Any], request: Request, scope: AsgiScope) -> Visit[Any, Any]:
        # First who it is, then what they say: a stranger's body is not read.
        office = self._office
        headers = _with_query_key(scope, scope["headers"])
        sender = Sender(headers, scope.get("scheme", "http"), office.addresses.client(_peer(scope), headers))
        signed_in = await self._come_in(route, sender)
        session = None if signed_in is None else signed_in.principal
        caller = await authorise(office, route.scope, headers, session)
        if caller is not None and caller.guard is not None:
            caller.guard.demand(f"{route.method} {route.paths[0]}", route.paths, sender.peer)
        query = read_query(_parameters(request), route.query)
        body: msgspec.Struct = route.body() if not route.takes_body else msgspec.Struct()
        fields: Mapping[str, msgspec.Raw] = {}
        if route.form:
            body = await read_form(request, route.body)
        elif route.takes_body:
            raw = await read_bytes(request, route.body_bytes_max)
            body, fields = read_struct(b"{}" if route.body_optional and not raw.strip() else raw, route.body)
        return Visit(
            caller,
            path=request.path_params,
            headers=request.headers,
            query=query,
            body=body,
            fields=fields,
            site=self._site,
            sender=sender,
            signed_in=signed_in,
        )

    async def _recorded_afterwards(self, route: Route[Any, Any], request: Request, visit: Visit[Any, Any]) -> Answer:
        """As :meth:`_recorded`, for a door that anybody may knock at, and so must not fill the log by knocking."""
        try:
            answer = await route.handler(self._office, visit)
        except GatewayError as error:
            await self._recorder.turned_away(route, request, error)
            raise
        await self._recorder.let_in(route, request, visit, answer)
        return answer

    async def _come_in(self, route: Route[Any, Any], sender: Sender) -> SignedIn | None:
        """Whether somebody may ask from there at all, and whose session it is if there is no key.

        Raises:
            Forbidden: the address may not, or what would be changed is not asked for by a page of ours.
        """
        office = self._office
        if _PROBES.isdisjoint(route.paths):
            office.addresses.demand(sender.peer)
        desk = office.sign_in
        if desk is None or not office.keyring.asks or office.keyring.presents_key(sender.headers):
            return None
        signed_in = await desk.signed_in(sender)
        if signed_in is not None and route.method not in _SAFE_METHODS and route.scope is not Scope.PUBLIC:
            desk.demand_intent(sender, signed_in)
        return signed_in


def _peer(scope: AsgiScope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _parameters(request: Request) -> dict[str, str]:
    """The query; of what is there several times the last counts, but for lists, which may stand in one as well."""
    found = dict(request.query_params)
    return found | {name: ",".join(request.query_params.getlist(name)) for name in _LISTS if name in found}


def _with_query_key(scope: AsgiScope, headers: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """The headers, with the key that clients of Gemini may put into the URL in the last place."""
    if not scope["path"].startswith(_GEMINI_STARTS):
        return headers
    key = query_key(scope["query_string"])
    return (*headers, (b"x-goog-api-key", key)) if key else headers


class _Stamped:
    """Gives each request an id, and each answer the headers that every answer has."""

    def __init__(self, app: ASGIApp, version: str) -> None:
        self._app = app
        self._version = version

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = scope[CALL_ID] = call_id()

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-litellm-call-id"] = identity
                headers["x-litellm-version"] = headers["x-pointsman-version"] = self._version
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, stamped)


def _rendered(answer: Answer) -> Response:
    if answer.stream is not None:
        return StreamingResponse(answer.stream, answer.status, dict(answer.headers), answer.media_type)
    content = answer.content
    body = content if isinstance(content, bytes) else _encode(content)
    response = Response(body, answer.status, media_type=answer.media_type)
    for name, value in answer.headers:
        if name == "set-cookie":
            response.headers.append(name, value)
        else:
            response.headers[name] = value
    return response
