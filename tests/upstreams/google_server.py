"""A fake of Google: Gemini's API, Vertex AI with models of several makers, and the services that give tokens."""

from __future__ import annotations

import base64
import re
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.upstreams import gemini_shapes as shapes
from tests.upstreams import openai_shapes
from tests.upstreams.openai_server import words_of
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.server import FakeServer

__all__ = ["FakeGoogle"]

_INFERENCE: Final = re.compile(
    r":batchEmbedContents$|:countTokens$|:predict$|:rank$|:(?:streamG|g)enerateContent$|:(?:streamR|r)awPredict$|/chat/completions$"
)
_COUNTING: Final = re.compile(r":countTokens$|/models/count-tokens:rawPredict$")
_VECTOR: Final = [0.25, -0.5]
_METADATA: Final = "/computeMetadata/v1"


class FakeGoogle(FakeServer):
    """Lets in whoever has ``key``, or a token that it gave and did not take back.

    ``parts`` are what Gemini answers, one per event when streamed. The server holds the key of a service account and
    checks what is signed with it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.key = "gemini-key"
        self.parts: list[dict[str, Any]] = [
            shapes.text_part("Hello"),
            shapes.text_part(" from"),
            shapes.text_part(" Gemini."),
        ]
        self.good_tokens: set[str] = set()
        self._signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._given = 0

    def service_account(self, project: str = "the-project") -> dict[str, Any]:
        """The JSON that the console gives for a service account."""
        pem = self._signer.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "key-1",
            "private_key": pem.decode(),
            "client_email": "robot@the-project.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
        }

    def person(self) -> dict[str, Any]:
        """The JSON that ``gcloud auth application-default login`` leaves."""
        return {
            "type": "authorized_user",
            "client_id": "client",
            "client_secret": "secret",
            "refresh_token": "refresh",
            "quota_project_id": "persons-project",
            "token_uri": f"{self.url}/token",
        }

    @property
    def inference(self) -> list[RecordedRequest]:
        """The inference requests so far."""
        return [request for request in self.matching() if _INFERENCE.search(request.path)]

    @property
    def token_requests(self) -> list[RecordedRequest]:
        """The requests for tokens so far."""
        return [request for request in self.matching() if request.path.endswith("/token")]

    def is_scripted(self, request: RecordedRequest) -> bool:
        """Tokens are given by the server itself."""
        return _INFERENCE.search(request.path) is not None

    @property
    def questions(self) -> list[RecordedRequest]:
        """The requests for counts of tokens so far."""
        return [request for request in self.matching() if _COUNTING.search(request.path)]

    async def answer(self, request: RecordedRequest) -> Reply:
        if request.path.startswith(_METADATA):
            return self._metadata(request)
        if request.path == "/token":
            return self._token(request)
        if _INFERENCE.search(request.path) is None:
            return Reply.json(shapes.google_error(404, "NOT_FOUND", f"no such path {request.path}"), 404)
        bearer = (request.header("authorization") or "").removeprefix("Bearer ")
        if request.header("x-goog-api-key") != self.key and bearer not in self.good_tokens:
            return Reply.json(shapes.google_error(401, "UNAUTHENTICATED", "Request had invalid credentials."), 401)
        return self._inference(request)

    def _inference(self, request: RecordedRequest) -> Reply:
        body = request.json()
        if _COUNTING.search(request.path):
            return _count(body)
        if "/publishers/anthropic/" in request.path:
            return _claude(body)
        if request.path.endswith(":batchEmbedContents"):
            return Reply.json({"embeddings": [{"values": _VECTOR} for _ in body["requests"]]})
        if request.path.endswith(":predict"):
            vector = {"values": _VECTOR, "statistics": {"truncated": False, "token_count": 2}}
            return Reply.json({"predictions": [{"embeddings": vector} for _ in body["instances"]]})
        if "contents" not in body:
            reply = openai_shapes.chat_reply("Hello from a partner.", openai_shapes.usage(3, 4), model=body["model"])
            if not body.get("stream"):
                return Reply.json(reply)
            chunks = openai_shapes.chat_chunks(("Hello", " from a", " partner."), openai_shapes.usage(3, 4))
            return Reply.stream(chunks)
        counts = shapes.usage_metadata(sum(words_of(turn["parts"]) for turn in body["contents"]), len(self.parts))
        if ":stream" in request.path:
            return Reply.stream(shapes.pieces(self.parts, counts), done=False)
        return Reply.json(shapes.answer(self.parts, counts))

    def _token(self, request: RecordedRequest) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") != "refresh":
                return Reply.json({"error": "invalid_grant", "error_description": "Token has been revoked."}, 400)
        elif (problem := self._problem_with(form.get("assertion", ""))) is not None:
            return Reply.json({"error": "invalid_grant", "error_description": problem}, 400)
        return self._give()

    def _give(self) -> Reply:
        self._given += 1
        token = f"google-token-{self._given}"
        self.good_tokens.add(token)
        return Reply.json({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _problem_with(self, assertion: str) -> str | None:
        """What is wrong with a signed assertion; raises where the signature is not good."""
        header, claims, signature = assertion.split(".")
        signed = f"{header}.{claims}".encode()
        self._signer.public_key().verify(_bytes(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        said = msgspec.json.decode(_bytes(claims))
        if said["aud"] != f"{self.url}/token" or said["exp"] - said["iat"] > 3600:
            return "Invalid JWT"
        return None if "cloud-platform" in said["scope"] else "Invalid scope"

    def _metadata(self, request: RecordedRequest) -> Reply:
        if request.header("metadata-flavor") != "Google":
            return Reply.raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        if request.path == f"{_METADATA}/project/project-id":
            return Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nmachines-project")
        return self._give()


def _count(body: dict[str, Any]) -> Reply:
    """A thousand, and one for each word; Gemini tells more than the number."""
    if "messages" in body:
        return Reply.json({"input_tokens": 1000 + words_of(body["messages"])})
    turns = body.get("generateContentRequest", body)["contents"]
    total = 1000 + sum(words_of(turn["parts"]) for turn in turns)
    details = [{"modality": "TEXT", "tokenCount": total}]
    return Reply.json({"totalTokens": total, "promptTokensDetails": details})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _claude(body: dict[str, Any]) -> Reply:
    counts = {"input_tokens": 5, "output_tokens": 2}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None}
    if not body.get("stream"):
        content = [{"type": "text", "text": "Hello from Claude."}]
        return Reply.json({**message, "content": content, "stop_reason": "end_turn", "usage": counts})
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": counts}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello from Claude."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": counts},
        {"type": "message_stop"},
    ]
    return Reply.named_events(events)
