from __future__ import annotations

import pytest

from pointsman.core.errors import Broken
from pointsman.dialects.bedrock_converse.frames import ConverseFrames
from pointsman.wire.aws_event_stream import EventMessage, Header, HeaderKind, write_message


def message(payload: bytes, **names: str) -> bytes:
    headers = tuple(Header(f":{name.replace('_', '-')}", HeaderKind.STRING, value) for name, value in names.items())
    return write_message(EventMessage(headers, payload))


@pytest.mark.parametrize(
    ("sent", "frame"),
    [
        (
            message(b'{"role":"assistant"}', message_type="event", event_type="messageStart"),
            b'{"messageStart":{"role":"assistant"}}',
        ),
        (message(b"", message_type="event", event_type="x"), b'{"x":null}'),
        (
            message(b'{"message":"Slow"}', message_type="exception", exception_type="throttlingException"),
            b'{"exception":{"type":"throttlingException","detail":{"message":"Slow"}}}',
        ),
        (
            message(b"not json", message_type="exception", exception_type="x"),
            b'{"exception":{"type":"x","detail":{"message":"not json"}}}',
        ),
        (
            message(b"", message_type="error", error_code="InternalError", error_message="Oh"),
            b'{"exception":{"type":"InternalError","detail":{"message":"Oh"}}}',
        ),
    ],
)
def test_a_message_is_a_frame(sent: bytes, frame: bytes) -> None:
    frames = ConverseFrames()
    assert frames.feed(sent) == [frame]
    assert frames.end() == []


def test_a_stream_that_ends_within_a_message_is_cut_off() -> None:
    frames = ConverseFrames()
    assert frames.feed(message(b"{}", message_type="event", event_type="x")[:-1]) == []
    with pytest.raises(Broken):
        frames.end()
