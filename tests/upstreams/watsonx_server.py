"""A fake IBM watsonx.ai, with the IAM service that exchanges keys: https://cloud.ibm.com/apidocs/watsonx-ai."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.server import FakeServer

__all__ = ["FakeWatsonx", "watsonx_error", "watsonx_stream"]

_TOKEN_PATH: Final = "/identity/token"
_CHATS: Final = ("/text/chat", "/text/chat_stream")


class FakeWatsonx(FakeServer):
    """Lets in whoever has a token that it gave and did not take back, or ``zen_key``.

    Tokens are given for ``api_key``; each lives ``token_seconds``. A body that names a model outside a deployment has
    to say who pays, and has no field that OpenAI alone knows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.api_key = "ibm-key"
        self.zen_key = "zen-key"
        self.token_seconds = 3600
        self.good_tokens: set[str] = set()
        self.pieces: tuple[str, ...] = ("Hello", " from", " watsonx.")
        self._given = 0

    @property
    def token_requests(self) -> list[RecordedRequest]:
        """The requests for tokens so far."""
        return [request for request in self.matching() if request.path == _TOKEN_PATH]

    @property
    def iam_url(self) -> str:
        """What ``WATSONX_IAM_URL`` is set to."""
        return self.url + _TOKEN_PATH

    def is_scripted(self, request: RecordedRequest) -> bool:
        """Tokens are given by the server itself."""
        return request.method == "POST" and request.path != _TOKEN_PATH

    async def answer(self, request: RecordedRequest) -> Reply:
        if request.path == _TOKEN_PATH:
            return self._token(request)
        if not self._lets_in(request):
            return watsonx_error(401, "authentication_token_not_valid", "Failed to authenticate the request.")
        if "version" not in parse_qs(urlsplit(request.target).query):
            return watsonx_error(400, "missing_version", "The version parameter is required.")
        body = request.json()
        is_deployment = "/deployments/" in request.path
        if is_deployment == bool({"model_id", "project_id", "space_id"} & body.keys()):
            return watsonx_error(400, "invalid_request_entity", "Exactly one of project_id and space_id is required.")
        odd = {"model", "stream", "stream_options", "user"} & body.keys()
        if odd:
            return watsonx_error(400, "json_validation_error", f"unknown fields {sorted(odd)}")
        if request.path.endswith("/text/embeddings"):
            vectors = [{"embedding": [float(len(text)), 0.5]} for text in body["inputs"]]
            return Reply.json({"model_id": body["model_id"], "results": vectors, "input_token_count": 7})
        if not request.path.endswith(_CHATS):
            return watsonx_error(404, "not_found", f"no such path {request.path}")
        if request.path.endswith("_stream"):
            return watsonx_stream(chat_chunks(self.pieces, usage(9, len(self.pieces))))
        return Reply.json(chat_reply("".join(self.pieces), usage(9, len(self.pieces))))

    def _lets_in(self, request: RecordedRequest) -> bool:
        scheme, _, secret = (request.header("authorization") or "").partition(" ")
        return secret in self.good_tokens if scheme == "Bearer" else (scheme, secret) == ("ZenApiKey", self.zen_key)

    def _token(self, request: RecordedRequest) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form != {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": self.api_key}:
            told = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
            return Reply.json({**told, "context": {"requestId": "r"}}, 400)
        self._given += 1
        token = f"iam-token-{self._given}"
        self.good_tokens.add(token)
        return Reply.json({"access_token": token, "token_type": "Bearer", "expires_in": self.token_seconds})


def watsonx_error(status: int, code: str, message: str) -> Reply:
    """An error in IBM's shape."""
    return Reply.json({"errors": [{"code": code, "message": message}], "trace": "t-1", "status_code": status}, status)


def watsonx_stream(events: Iterable[dict[str, Any]]) -> Reply:
    """A stream of numbered events without ``[DONE]``."""
    blocks = [
        b"id: %d\nevent: message\ndata: %b\n\n" % (number, msgspec.json.encode(event))
        for number, event in enumerate(events, 1)
    ]
    return Reply.chunked("text/event-stream", blocks, 0.0, None)
