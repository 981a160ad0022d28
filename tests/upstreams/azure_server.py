"""A fake Azure OpenAI resource, with the Entra service that gives tokens for it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.upstreams.openai_shapes import chat_chunks, usage
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.responses_server import FakeResponses

__all__ = ["FakeAzure", "azure_chunks", "content_filter_error"]

_TOKEN_PATH: Final = "/oauth2/v2.0/token"
_SAFE: Final = {"hate": {"filtered": False, "severity": "safe"}}


class FakeAzure(FakeResponses):
    """Lets in whoever has ``key``, or a token that it gave and did not take back.

    ``client_secret`` is what tokens are given for; each lives ``token_seconds``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.azure_key = "azure-key"
        self.client_secret = "entra-secret"
        self.token_seconds = 3600
        self.good_tokens: set[str] = set()
        self._given = 0

    @property
    def token_requests(self) -> list[RecordedRequest]:
        """The requests for tokens so far."""
        return [request for request in self.matching() if request.path.endswith(_TOKEN_PATH)]

    def is_scripted(self, request: RecordedRequest) -> bool:
        """Tokens are given by the server itself."""
        return request.method == "POST" and not request.path.endswith(_TOKEN_PATH)

    async def answer(self, request: RecordedRequest) -> Reply:
        if request.path.endswith(_TOKEN_PATH):
            return self._token(request)
        if not self._lets_in(request):
            return Reply.json({"statusCode": 401, "message": "Unauthorized. Access token is missing or invalid."}, 401)
        if "/openai/deployments/" in request.path and "api-version" not in parse_qs(urlsplit(request.target).query):
            return Reply.json({"error": {"code": "404", "message": "Resource not found"}}, 404)
        return await super().answer(request)

    def _lets_in(self, request: RecordedRequest) -> bool:
        bearer = (request.header("authorization") or "").removeprefix("Bearer ")
        return request.header("api-key") == self.azure_key or bearer in self.good_tokens

    def _token(self, request: RecordedRequest) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("client_secret") != self.client_secret:
            told = "AADSTS7000215: Invalid client secret provided."
            return Reply.json({"error": "invalid_client", "error_description": told}, 401)
        self._given += 1
        token = f"entra-token-{self._given}"
        self.good_tokens.add(token)
        return Reply.json({"token_type": "Bearer", "expires_in": self.token_seconds, "access_token": token})


def azure_chunks(*pieces: str, **options: Any) -> list[dict[str, Any]]:
    """A stream as Azure sends it: first a chunk without choices that judges the prompt, judgements on every piece."""
    first = {
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}],
    }
    chunks = chat_chunks(pieces, usage(9, len(pieces)), **options)
    for chunk in chunks:
        for choice in chunk["choices"]:
            choice["content_filter_results"] = _SAFE if choice["delta"].get("content") else {}
    return [first, *chunks]


def content_filter_error() -> dict[str, Any]:
    """What Azure answers when it does not like the prompt."""
    return {
        "error": {
            "message": "The response was filtered due to the prompt triggering Azure's content management policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"violence": {"filtered": True, "severity": "high"}},
            },
        }
    }
