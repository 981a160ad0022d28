"""What a route is, what reaches its handler, and what the handler gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import copy
from typing import Generic, Literal, TypeVar

import msgspec

from pointsman.admin.bodies import BODY_BYTES_MAX
from pointsman.admin.change import Change
from pointsman.admin.office import Office
from pointsman.admin.sign_in.desk import SignedIn
from pointsman.core.identity import Scope
from pointsman.policies.principal import Principal
from pointsman.policies.sign_in.browser import Sender
from pointsman.wire import limits

__all__ = ["Answer", "Method", "Nothing", "Route", "RouteFact", "Site", "Tier", "Visit"]

Body = TypeVar("Body", bound=msgspec.Struct)
Query = TypeVar("Query", bound=msgspec.Struct)

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Tier = Literal["openai", "litellm", "pointsman"]
"""Whose contract a route keeps; ``pointsman`` routes are ours to change."""


class Nothing(msgspec.Struct, frozen=True):
    """The body or query of a route that takes none."""


class RouteFact(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the list of routes that operators and tests read."""

    method: str
    path: str
    scope: str
    summary: str
    tier: Tier


class Site(msgspec.Struct, frozen=True):
    """What the app knows of itself: its OpenAPI document, its pages, and the list of routes."""

    openapi: Callable[[], bytes]
    docs_page: bytes
    docs_policy: str
    facts: tuple[RouteFact, ...]


class Visit(Generic[Query, Body]):
    """An authorised request. ``path`` has the parameters of the path, ``fields`` the body's own, as raw JSON.

    Header names are lower case. ``signed_in`` is whose session the request showed, if it asks in one. A handler appends
    to ``changes`` what it has changed, for the audit log.
    """

    __slots__ = ("_caller", "body", "changes", "fields", "headers", "path", "query", "sender", "signed_in", "site")

    def __init__(
        self,
        caller: Principal | None,
        *,
        path: Mapping[str, str],
        headers: Mapping[str, str],
        query: Query,
        body: Body,
        fields: Mapping[str, msgspec.Raw],
        site: Site,
        sender: Sender,
        signed_in: SignedIn | None = None,
    ) -> None:
        self._caller = caller
        self.sender = sender
        self.signed_in = signed_in
        self.changes: list[Change] = []
        self.path = path
        self.headers = headers
        self.query = query
        self.body = body
        self.fields = fields
        self.site = site

    @property
    def caller(self) -> Principal:
        """Who asks; a handler of a public route has no business asking."""
        if self._caller is None:
            message = "a public route asked who its caller is"
            raise RuntimeError(message)
        return self._caller


class Answer(msgspec.Struct, frozen=True):
    """What a handler gives back.

    ``content`` is encoded as JSON unless it is bytes, which go out as they are, or a ``stream`` of them is there.
    """

    content: object = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None


class Route(Generic[Query, Body]):
    """One operation under one or more paths (Starlette's syntax), and everything that is demanded of its caller.

    ``reply`` documents the JSON of the answer: a type, a tuple of types that it may be of, or None where it is a text.
    ``audited`` tells whether the audit log has each request: so it is with every method but GET, unless the route is
    one for inference, or is said to change nothing (:meth:`reading`).
    """

    __slots__ = (
        "audited",
        "body",
        "body_bytes_max",
        "form",
        "handler",
        "method",
        "paths",
        "query",
        "reply",
        "scope",
        "summary",
        "tier",
    )

    def __init__(
        self,
        method: Method,
        paths: tuple[str, ...],
        scope: Scope,
        handler: Callable[[Office, Visit[Query, Body]], Awaitable[Answer]],
        *,
        summary: str,
        tier: Tier,
        query: type[Query],
        body: type[Body],
        reply: object = None,
    ) -> None:
        self.method = method
        self.paths = paths
        self.scope = scope
        self.handler = handler
        self.summary = summary
        self.tier: Tier = tier
        self.query = query
        self.body = body
        self.reply = reply
        self.form = False
        self.audited = method != "GET" and scope is not Scope.INFERENCE
        # What is asked about a prompt may be as long as a prompt.
        self.body_bytes_max = limits.BODY_BYTES_MAX if scope is Scope.INFERENCE else BODY_BYTES_MAX

    def with_scope(self, scope: Scope) -> Route[Query, Body]:
        """The same route with another demand on its caller."""
        changed = copy(self)
        changed.scope = scope
        return changed

    def with_room(self, body_bytes_max: int) -> Route[Query, Body]:
        """The same route for longer bodies."""
        changed = copy(self)
        changed.body_bytes_max = body_bytes_max
        return changed

    def as_form(self) -> Route[Query, Body]:
        """The same route for a form of a web page, as browsers send it."""
        changed = copy(self)
        changed.form = True
        return changed

    def reading(self) -> Route[Query, Body]:
        """The same route, of which it is said that it changes nothing, whatever its method."""
        changed = copy(self)
        changed.audited = False
        return changed

    @property
    def takes_body(self) -> bool:
        """Whether a body is read at all."""
        return not issubclass(self.body, Nothing)

    @property
    def body_optional(self) -> bool:
        """Whether a request without a body means one that says nothing."""
        return not any(field.required for field in msgspec.structs.fields(self.body))

    @property
    def replies(self) -> tuple[object, ...]:
        """The types that the JSON of an answer may be of; none where it is a text."""
        if isinstance(self.reply, tuple):
            return self.reply
        return () if self.reply is None else (self.reply,)

    def facts(self) -> tuple[RouteFact, ...]:
        """One row per path."""
        return tuple(
            RouteFact(method=self.method, path=path, scope=self.scope.value, summary=self.summary, tier=self.tier)
            for path in self.paths
        )
