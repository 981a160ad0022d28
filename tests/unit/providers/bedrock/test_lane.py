"""The lane to Bedrock: what is waited for, what is signed, and what becomes of keys that have expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from pointsman.core.access import AwsAccess
from pointsman.core.errors import Malformed, Unreachable, Unsupported
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.providers.bedrock.keys import SPARE_SECONDS, AwsKeyring, Grant
from pointsman.providers.bedrock.lane import BedrockServices, bedrock_lane
from pointsman.providers.media import FetchedMedia, MediaFetcher, MediaKind
from pointsman.wire.aws_signature import AwsKeys
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher

BASE = "https://bedrock-runtime.eu-central-1.amazonaws.com"
EXPIRED = b'{"message":"The security token included in the request is expired"}'
PICTURE = {"type": "image_url", "image_url": {"url": "https://host/picture.png"}}


class Gallery(MediaFetcher):
    """Has one image at every address."""

    async def fetch(self, url: str, param: str, kind: MediaKind = "image") -> FetchedMedia:
        return FetchedMedia("image/png", "iVBORw0KGgo=")


class Stage:
    """Lanes to one deployment; keys are numbered and good for an hour."""

    def __init__(self, nursery: Nursery, media: MediaFetcher) -> None:
        self.clock = FakeClock()
        self.searches = 0
        keyring = AwsKeyring(self.find, nursery, self.clock)
        self.services = BedrockServices(keyring, media, ScriptedFetcher(), nursery, self.clock)

    async def find(self, access: AwsAccess) -> Grant:
        self.searches += 1
        return Grant(AwsKeys(f"ASIA{self.searches}", Secret("s"), Secret("t")), self.clock.now + 3600)

    def lane(self, operation: Operation = Operation.CHAT, **fields: Any) -> Any:
        given = {"access": AwsAccess(region="eu-central-1"), "api_base": BASE, **fields}
        model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
        deployment = Deployment("id", "claude", "bedrock", model, f"bedrock/{model}", price=None, **given)
        return bedrock_lane(deployment, operation, self.services)


def ask(content: object = "Hi", *, stream: bool = False) -> Ask:
    body = {"model": "claude", "messages": [{"role": "user", "content": content}], "stream": stream}
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
    return Ask(Operation.CHAT, "claude", fields, stream=stream)


def headers(outbound: Outbound) -> dict[str, str]:
    return {name: value.reveal() for name, value in outbound.headers}


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    made = Nursery(lambda name, error: pytest.fail(f"{name}: {error}"))
    yield made
    await made.close()


@pytest.fixture
def stage(nursery: Nursery) -> Stage:
    return Stage(nursery, Gallery())


@pytest.mark.parametrize(("stream", "operation"), [(False, b"/converse"), (True, b"/converse-stream")])
async def test_each_request_is_signed_for_itself(stage: Stage, stream: bool, operation: bytes) -> None:
    lane, given = stage.lane(), ask(stream=stream)
    await lane.prepare(given)
    outbound = lane.write(given)
    assert outbound.path.endswith(operation)
    signed = headers(outbound)
    assert signed["X-Amz-Security-Token"] == "t"
    assert "Credential=ASIA1/19700101/eu-central-1/bedrock/aws4_request" in signed["Authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in signed["Authorization"]
    stage.clock.now += 1
    assert headers(lane.write(given))["Authorization"] != signed["Authorization"]


async def test_an_api_key_needs_no_keys_of_aws(stage: Stage) -> None:
    lane, given = stage.lane(api_key=Secret("k")), ask()
    await lane.prepare(given)
    assert (lane.write(given).headers, stage.searches) == ((), 0)


async def test_the_operators_own_host_is_signed(stage: Stage) -> None:
    plain, own = stage.lane(), stage.lane(headers={"host": Secret("other")})
    given = ask()
    await plain.prepare(given)
    assert headers(plain.write(given))["Authorization"] != headers(own.write(given))["Authorization"]


async def test_keys_that_have_expired_are_sought_anew(stage: Stage) -> None:
    lane, given = stage.lane(), ask()
    await lane.prepare(given)
    lane.write(given)
    assert lane.answer(given).rejected(403, EXPIRED, None).status == 403
    await lane.prepare(given)
    assert "Credential=ASIA2/" in headers(lane.write(given))["Authorization"]
    assert lane.answer(given).rejected(403, b'{"message":"no"}', None).status == 403
    await lane.prepare(given)
    assert stage.searches == 2


async def test_without_keys_nothing_is_sent(stage: Stage) -> None:
    lane, given = stage.lane(), ask()
    await lane.prepare(given)
    stage.clock.now += 3600 - SPARE_SECONDS
    with pytest.raises(Unreachable, match="expired"):
        lane.write(given)


async def test_remote_images_are_fetched_before(stage: Stage) -> None:
    lane, given = stage.lane(), ask([PICTURE])
    await lane.prepare(given)
    sent = msgspec.json.decode(lane.write(given).body)
    assert sent["messages"][0]["content"] == [{"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}]


async def test_remote_images_are_refused_where_none_are_fetched(nursery: Nursery) -> None:
    with pytest.raises(Malformed) as caught:
        await Stage(nursery, MediaFetcher()).lane().prepare(ask([PICTURE]))
    assert caught.value.code == "remote_image_refused"


async def test_the_answer_names_neither_region_nor_route(stage: Stage) -> None:
    lane, given = stage.lane(), ask()
    await lane.prepare(given)
    lane.write(given)
    body = b'{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn"}'
    answer = msgspec.json.decode(lane.answer(given).whole(body))
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("claude", "Hi")


async def test_a_model_that_embeds_nothing_says_so(stage: Stage) -> None:
    fields = {"model": msgspec.Raw(b'"claude"'), "input": msgspec.Raw(b'"Hi"')}
    with pytest.raises(Unsupported, match="embeddings"):
        await stage.lane(Operation.EMBEDDING).prepare(Ask(Operation.EMBEDDING, "claude", fields))
