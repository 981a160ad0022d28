"""An upstream that echoes the credential it was sent in an error does not show it to clients, nor to the ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.lifecycle.house_script import UPSTREAM_KEY, ScriptedClient, ScriptedFlight, Stage, chat_body
from tests.unit.lifecycle.openai_words import chunk, refusal


def answered(stage: Stage, act: Callable[[ScriptedFlight], None], *, stream: bool) -> ScriptedClient:
    stage.sender.act = act
    story, client = stage.tell(chat_body(stream=stream))
    assert story.over
    stage.settled()
    return client


@pytest.mark.parametrize("field", ["message", "code", "param", "type"])
@pytest.mark.parametrize("way", ["whole", "stream", "event"])
def test_an_upstream_that_echoes_its_key_does_not_show_it_to_the_client(field: str, way: str) -> None:
    stage = Stage()
    body = refusal(**{"message": "no", field: f"bad key {UPSTREAM_KEY} given"})

    def act(flight: ScriptedFlight) -> None:
        if way == "event":
            flight.piece(chunk("a"))
            flight.piece(b"data: " + body + b"\n\n", last=True)
        else:
            flight.answer(body, 401)

    client = answered(stage, act, stream=way != "whole")
    told = client.head + client.body
    assert client.ended and b'"error"' in told
    assert UPSTREAM_KEY.encode() not in told
    assert UPSTREAM_KEY not in repr(stage.record) and UPSTREAM_KEY not in repr(stage.ears.records)


@pytest.mark.parametrize("field", ["message", "code", "param"])
@pytest.mark.parametrize("way", ["whole", "stream", "event"])
def test_not_even_a_part_of_a_key_is_left_where_an_error_is_shortened(field: str, way: str) -> None:
    for length in range(60, 81) if field != "message" else range(480, 501):
        stage = Stage()
        body = refusal(**{"message": "no", field: "." * length + UPSTREAM_KEY})

        def act(flight: ScriptedFlight, body: bytes = body) -> None:
            if way == "event":
                flight.piece(chunk("a"))
                flight.piece(b"data: " + body + b"\n\n", last=True)
            else:
                flight.answer(body, 401)

        client = answered(stage, act, stream=way != "whole")
        assert b".upst" not in client.body and ".upst" not in repr(stage.record)


@pytest.mark.parametrize("stream", [False, True])
def test_a_token_that_a_cloud_gave_is_not_shown_either(stream: bool) -> None:
    stage = Stage()
    stage.house.issued = lambda: ("opaque-token-of-the-hour",)
    body = refusal(message="bad token opaque-token-of-the-hour", code="opaque-token-of-the-hour")
    client = answered(stage, lambda flight: flight.answer(body, 401), stream=stream)
    assert b'"error"' in client.body and b"opaque-token" not in client.head + client.body
    assert "opaque-token" not in repr(stage.record)
