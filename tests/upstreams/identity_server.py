"""A fake OpenID provider: real keys, discovery, the code flow with PKCE, user info, and tokens for services."""

from __future__ import annotations

import base64
import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import msgspec
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply, head
from tests.upstreams.server import FakeServer

__all__ = ["FakeIdentity"]

Claims = dict[str, Any]
_LIFE_SECONDS: Final = 600


class FakeIdentity(FakeServer):
    """Signs everybody in as ``person``, whose claims it tells in the ID token and by ``/userinfo``.

    ``amend`` may change the claims of an ID token before it is signed. ``auth_methods`` are the ways in which it lets
    clients prove who they are. ``about`` makes a token of what ``/userinfo`` tells. ``header`` goes into ID tokens.
    """

    def __init__(self, client_id: str = "gateway", client_secret: str = "client-secret") -> None:
        super().__init__()
        self.client_id = client_id
        self.client_secret = client_secret
        self.person: Claims = {"sub": "alice-1", "email": "alice@example.com", "email_verified": True, "name": "Alice"}
        self.amend: Callable[[Claims], Claims] = lambda claims: claims
        self.about: Callable[[Claims], str] | None = None
        self.header: Claims = {}
        self.auth_methods = ["client_secret_basic", "client_secret_post"]
        self.keys: dict[str, tuple[str, Key]] = {}
        self.refusals: list[str] = []
        self._departures: dict[str, tuple[dict[str, str], Claims]] = {}
        self._persons: dict[str, Claims] = {}
        self.add_key("RS256")

    @property
    def issuer(self) -> str:
        """What its tokens say as ``iss``."""
        return self.url

    @property
    def key_requests(self) -> int:
        """How often its keys were asked for."""
        return len(self.matching("/keys"))

    def add_key(self, algorithm: str) -> str:
        """A further key for signing, the latest of which is used; gives its name."""
        name = f"key-{len(self.keys) + 1}"
        if algorithm.startswith(("RS", "PS")):
            key: Key = RSAKey.generate_key(2048, {"kid": name}, auto_kid=False)
        elif algorithm == "EdDSA":
            key = OKPKey.generate_key("Ed25519", {"kid": name}, auto_kid=False)
        else:
            curve: Any = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
            key = ECKey.generate_key(curve, {"kid": name}, auto_kid=False)
        self.keys[name] = (algorithm, key)
        return name

    def token(self, key_id: str | None = None, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A signed token for the gateway; ``claims`` that are None are left out."""
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": self.client_id, "sub": "alice-1", "iat": now, "exp": now + _LIFE_SECONDS}
        return self.signed({**usual, **claims}, key_id, header)

    def signed(self, claims: Claims, key_id: str | None = None, header: Mapping[str, Any] | None = None) -> str:
        """A token with just these claims."""
        name = key_id or list(self.keys)[-1]
        algorithm, key = self.keys[name]
        body = msgspec.json.encode({name: value for name, value in claims.items() if value is not None})
        fields = {"alg": algorithm, "kid": name, "typ": "JWT", **(header or {})}
        for name in fields.get("crit", ()):
            fields.setdefault(name, True)
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jws.serialize_compact(fields, body, key, [algorithm], registry)

    def public_keys(self) -> dict[str, Any]:
        """Its set of keys."""
        return {
            "keys": [
                {**key.as_dict(private=False), "use": "sig", "alg": algorithm} for algorithm, key in self.keys.values()
            ]
        }

    def is_scripted(self, request: RecordedRequest) -> bool:
        """Everything may be, once there is a script."""
        return True

    async def answer(self, request: RecordedRequest) -> Reply:
        """What a provider answers."""
        path = request.path
        if path == "/.well-known/openid-configuration":
            return Reply.json(self._document())
        if path == "/keys":
            return Reply.json(self.public_keys())
        if path == "/authorize":
            return self._authorize(request)
        if path == "/token":
            return self._redeem(request)
        if path == "/userinfo":
            person = self._persons.get((request.header("authorization") or "").removeprefix("Bearer "))
            if person is None:
                return Reply.json({"error": "invalid_token"}, 401)
            return Reply.json(person) if self.about is None else self._token_about(self.about(person))
        return Reply.error(404, f"no such path {path}")

    def _document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": self.auth_methods,
            "authorization_response_iss_parameter_supported": True,
        }

    def _authorize(self, request: RecordedRequest) -> Reply:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._departures[code] = (asked, dict(self.person))
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        place = f"{asked['redirect_uri']}?{back}"
        return Reply.raw(head(302, {"Location": place, "Content-Length": "0"}))

    def _redeem(self, request: RecordedRequest) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        problem = self._objection(request, form)
        if problem is not None:
            self.refusals.append(problem)
            return Reply.json({"error": "invalid_grant", "error_description": problem}, 400)
        asked, person = self._departures.pop(form["code"])
        token = secrets.token_urlsafe(16)
        self._persons[token] = person
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + _LIFE_SECONDS, "nonce": asked["nonce"],
            "sub": person["sub"],
        }  # fmt: skip
        id_token = self.signed(self.amend(claims), header=self.header)
        return Reply.json({"access_token": token, "token_type": "Bearer", "id_token": id_token})

    @staticmethod
    def _token_about(text: str) -> Reply:
        named = {"Content-Type": "application/jwt", "Content-Length": str(len(text))}
        return Reply.raw(head(200, named) + text.encode())

    def _objection(self, request: RecordedRequest, form: Mapping[str, str]) -> str | None:
        departure = self._departures.get(form.get("code", ""))
        if departure is None:
            return "the code is not known, or was used"
        asked, _ = departure
        digest = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if digest.decode() != asked["code_challenge"]:
            return "the verifier does not fit"
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return "the code was for another address"
        basic = (request.header("authorization") or "").removeprefix("Basic ")
        pair = base64.b64decode(basic).decode().partition(":") if basic else None
        said = unquote(pair[2]) if pair else form.get("client_secret")
        return None if said == self.client_secret else "the client's secret is wrong"
