"""A fake Amazon Bedrock (Converse and ConverseStream), which believes nobody: it computes each signature itself.

Besides, it is AWS's token service, the host of a container and the metadata service of an EC2 instance, all of which
hand out keys. Nothing here is shared with the product: neither the signature nor the event stream.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, quote

import msgspec

from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Reply
from tests.upstreams.server import FakeServer

__all__ = ["EVENT_STREAM", "BedrockTurn", "FakeBedrock", "event_message"]

EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
_USAGE: Final[Mapping[str, int]] = MappingProxyType({"inputTokens": 11, "outputTokens": 7, "totalTokens": 18})


class BedrockTurn(msgspec.Struct):
    """What the model answers: blocks as Converse has them, which are cut into pieces when streamed.

    With ``exception`` (its name and message) the stream breaks off before its end.
    """

    blocks: Sequence[dict[str, Any]] = ({"text": "Hello from the fake Bedrock."},)
    stop: str = "end_turn"
    usage: Mapping[str, int] = _USAGE
    more: dict[str, Any] | None = None
    exception: tuple[str, str] | None = None


class FakeBedrock(FakeServer):
    """Answers like a healthy Bedrock in ``region``. ``keys`` are whom it knows: access key id → secret, and token.

    ``bearer`` is an API key that it takes in place of a signature.
    """

    def __init__(self, region: str = "eu-central-1") -> None:
        super().__init__()
        self.region = region
        self.keys: dict[str, tuple[str, str]] = {"AKIDSTATIC": ("static-secret", "")}
        self.bearer = ""
        self.granted = 0
        self.turn = BedrockTurn()

    def says(self, *blocks: dict[str, Any], **fields: Any) -> None:
        """What the model answers from now on."""
        self.turn = BedrockTurn(blocks, **fields)

    @property
    def conversations(self) -> list[RecordedRequest]:
        """The requests to models so far."""
        return [request for request in self.matching() if request.path.startswith("/model/")]

    async def respond(self, request: RecordedRequest) -> Reply:
        if request.path.startswith("/model/") and (wrong := self._unwelcome(request, "bedrock")):
            return Reply.json({"message": wrong}, 403, {"x-amzn-ErrorType": "InvalidSignatureException"})
        return await super().respond(request)

    def is_scripted(self, request: RecordedRequest) -> bool:
        return request.path.startswith("/model/")

    async def answer(self, request: RecordedRequest) -> Reply:
        if request.path == "/latest/api/token":
            return Reply.raw(_plain(b"imds-token" if request.method == "PUT" else b""))
        if request.path.startswith("/latest/meta-data/"):
            return self._instance(request)
        if request.path == "/container-keys":
            return self._container(request)
        if request.path.startswith("/model/"):
            return self._converse(request)
        return self._token_service(request)

    # -- the model -----------------------------------------------------------------------------------

    def _converse(self, request: RecordedRequest) -> Reply:
        turn = self.turn
        if request.path.endswith("/count-tokens"):
            return self._count(request)
        if request.path.endswith("/invoke"):
            return self._embed(request)
        if request.path.endswith("/converse-stream"):
            return Reply.chunked(EVENT_STREAM, list(_stream(turn)), 0.0, None)
        more = {} if turn.more is None else {"additionalModelResponseFields": turn.more}
        message = {"role": "assistant", "content": list(turn.blocks)}
        return Reply.json(
            {
                "output": {"message": message},
                "stopReason": turn.stop,
                "usage": dict(turn.usage),
                "metrics": {"latencyMs": 42},
                **more,
            }
        )

    def _count(self, request: RecordedRequest) -> Reply:
        """A thousand and the number of messages; of models only, by their own ids."""
        if not request.path.startswith("/model/anthropic."):
            return Reply.json({"message": "The provided model doesn't support counting tokens."}, 400)
        return Reply.json({"inputTokens": 1000 + len(request.json()["input"]["converse"]["messages"])})

    def _embed(self, request: RecordedRequest) -> Reply:
        """Titan's and Cohere's embeddings; a vector is the length of its text."""
        body = request.json()
        if "texts" in body:
            if len(body["texts"]) > 96 or "input_type" not in body:
                return Reply.json({"message": "Malformed input request"}, 400)
            vectors = [[float(len(text)), 1.0] for text in body["texts"]]
            return Reply.json({"embeddings": vectors, "id": "1", "response_type": "embeddings_floats"})
        text = body["inputText"]
        if not text.strip():
            return Reply.json({"message": "Malformed input request: minLength: 1"}, 400)
        return Reply.json({"embedding": [float(len(text)), 2.0], "inputTextTokenCount": len(text.split())})

    # -- who asks ------------------------------------------------------------------------------------

    def _unwelcome(self, request: RecordedRequest, service: str) -> str:
        """Why the sender of a request is not let in; empty if it is."""
        given = request.header("authorization") or ""
        if given.startswith("Bearer "):
            return "" if self.bearer and given == f"Bearer {self.bearer}" else "The API key is not valid."
        try:
            fields = dict(part.strip().split("=", 1) for part in given.removeprefix("AWS4-HMAC-SHA256").split(","))
            key_id, day, region, named, end = fields["Credential"].split("/")
        except (KeyError, ValueError):
            return "Missing Authentication Token"
        secret, token = self.keys.get(key_id, ("", ""))
        moment = request.header("x-amz-date") or ""
        if not secret or (request.header("x-amz-security-token") or "") != token:
            return "The security token included in the request is invalid."
        if (region, named, end, day) != (self.region, service, "aws4_request", moment[:8]):
            return "Credential should be scoped to a valid region."
        if abs((datetime.now(UTC) - datetime.strptime(moment + "+0000", "%Y%m%dT%H%M%SZ%z")).total_seconds()) > 300:
            return "Signature expired."
        names = fields["SignedHeaders"].split(";")
        if not {"host", "x-amz-date"} <= set(names) or (token and "x-amz-security-token" not in names):
            return "A header that has to be signed is not."
        wanted = _signature(request, names, secret, (day, region, service), moment)
        return "" if hmac.compare_digest(wanted, fields["Signature"]) else "The request signature does not match."

    def _grant(self) -> dict[str, str]:
        self.granted += 1
        key_id = f"ASIA{self.granted}"
        self.keys[key_id] = (f"granted-secret-{self.granted}", f"granted/token+{self.granted}==")
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        secret, token = self.keys[key_id]
        return {"AccessKeyId": key_id, "SecretAccessKey": secret, "Token": token, "Expiration": expires}

    def _token_service(self, request: RecordedRequest) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        action = form.get("Action", "")
        wrong = self._unwelcome(request, "sts") if action == "AssumeRole" else ""
        if action == "AssumeRoleWithWebIdentity" and form.get("WebIdentityToken") != "a-web-identity":
            wrong = "The web identity is not known."
        if wrong or action not in {"AssumeRole", "AssumeRoleWithWebIdentity"}:
            error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{wrong}</Message></Error>"
            return Reply.raw(_plain(f"<ErrorResponse>{error}</ErrorResponse>".encode(), "403 Forbidden"))
        granted = self._grant()
        granted["SessionToken"] = granted.pop("Token")
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in granted.items())
        body = (
            f"<{action}Response><{action}Result><Credentials>{fields}</Credentials></{action}Result></{action}Response>"
        )
        return Reply.raw(_plain(body.encode()))

    def _container(self, request: RecordedRequest) -> Reply:
        if request.header("authorization") != "container-token":
            return Reply.error(403)
        return Reply.json({"RoleArn": "arn:aws:iam::1:role/task", **self._grant()})

    def _instance(self, request: RecordedRequest) -> Reply:
        if request.header("x-aws-ec2-metadata-token") != "imds-token":
            return Reply.error(401)
        if request.path.endswith("/security-credentials/"):
            return Reply.raw(_plain(b"instance-role"))
        return Reply.json({"Code": "Success", "Type": "AWS-HMAC", **self._grant()})


def _signature(
    request: RecordedRequest, names: list[str], secret: str, scope: tuple[str, str, str], moment: str
) -> str:
    lines = [f"{name}:{' '.join((request.header(name) or '').split())}" for name in names]
    whole = [request.method, quote(request.path, safe="/-_.~"), "", *lines, "", ";".join(names)]
    canonical = "\n".join([*whole, hashlib.sha256(request.body).hexdigest()])
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            moment,
            "/".join([*scope, "aws4_request"]),
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = ("AWS4" + secret).encode()
    for part in (*scope, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _plain(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (
        status.encode(),
        len(body),
        body,
    )


# -- the event stream --------------------------------------------------------------------------------


def event_message(name: str, payload: dict[str, Any], kind: str = "event") -> bytes:
    """One message of AWS's event stream; ``p`` pads it to an unforeseeable length, as Bedrock does."""
    body = msgspec.json.encode({**payload, "p": "abcdefghij"[: len(name) % 10]})
    headers = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in ((f":{kind}-type", name), (":content-type", "application/json"), (":message-type", kind))
    )
    lengths = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + body
    return whole + struct.pack(">I", zlib.crc32(whole))


def _stream(turn: BedrockTurn) -> Iterable[bytes]:
    yield event_message("messageStart", {"role": "assistant"})
    for index, block in enumerate(turn.blocks):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield event_message("contentBlockStart", {**at, "start": start})
        for delta in _deltas(block):
            yield event_message("contentBlockDelta", {**at, "delta": delta})
        yield event_message("contentBlockStop", at)
    if turn.exception is not None:
        name, message = turn.exception
        yield event_message(name, {"message": message}, "exception")
        return
    more = {} if turn.more is None else {"additionalModelResponseFields": turn.more}
    yield event_message("messageStop", {"stopReason": turn.stop, **more})
    yield event_message("metadata", {"usage": dict(turn.usage), "metrics": {"latencyMs": 42}})


def _deltas(block: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if "text" in block:
        yield from ({"text": piece} for piece in _pieces(block["text"]))
    elif "toolUse" in block:
        yield {"toolUse": {"input": ""}}
        text = msgspec.json.encode(block["toolUse"]["input"]).decode()
        yield from ({"toolUse": {"input": piece}} for piece in _pieces(text))
    elif "redactedContent" in block["reasoningContent"]:
        yield {"reasoningContent": block["reasoningContent"]}
    else:
        whole = block["reasoningContent"]["reasoningText"]
        yield from ({"reasoningContent": {"text": piece}} for piece in _pieces(whole["text"]))
        yield {"reasoningContent": {"signature": whole["signature"]}}


def _pieces(text: str, size: int = 5) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
