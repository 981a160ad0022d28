"""People are told of a budget that runs out, once, by webhook, Slack and mail, and no request waits for that."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Limits, Team
from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.entries import put_entries
from tests.support.gateway import Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Reply
from tests.upstreams.openai_shapes import chat_reply, usage

PRICE = 10**9
"""Picodollars of a call: five tokens at 0.0002 USD."""


class MailServer(socketserver.ThreadingTCPServer):
    """As much of SMTP (RFC 5321) as it takes to be given a message."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[str] = []
        super().__init__(("127.0.0.1", 0), _Conversation)


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 fake\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.messages.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fake\r\n")


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def hook() -> Iterator[FakeOpenAI]:
    """Whatever takes a POST."""
    with FakeOpenAI() as server:
        server.always(Reply.json({}))
        yield server


def bodies(hook: FakeOpenAI) -> list[dict[str, Any]]:
    return [request.json() for request in hook.requests]


def test_everybody_is_told_once(launch: Launch, upstream: FakeOpenAI, hook: FakeOpenAI, mail: MailServer) -> None:
    host, port = mail.server_address[:2]
    environment = {
        "WEBHOOK_URL": f"{hook.base_url}/chat/completions",
        "SLACK_WEBHOOK_URL": f"{hook.base_url}/chat/completions",
        "SMTP_HOST": str(host),
        "SMTP_PORT": str(port),
        "SMTP_TLS": "False",
        "SMTP_SENDER_EMAIL": "gateway@example.com",
    }
    gateway = launch(
        {
            **ONE_ATTEMPT,
            "model_list": [openai_entry("priced", upstream, output_cost_per_token=0.0002, input_cost_per_token=0.0)],
            "general_settings": {"alerting": ["webhook", "slack", "email"]},
            "pointsman": {"alert_emails": ["ops@example.com"]},
        },
        env=environment,
    )
    upstream.always(Reply.json(chat_reply("ok", usage(3, 5))))
    put_entries(gateway, (TEAMS, Team(team_id="t", alias="crew", limits=Limits(max_budget=10 * PRICE))))
    keys = [gateway.new_key(team_id="t", key_alias=f"key-{number}") for number in range(2)]
    for number in range(11):
        gateway.chat("priced", key=keys[number % 2], max_tokens=5)
    eventually(lambda: len(bodies(hook)) >= 4 and len(mail.messages) >= 2, "all alerts have come")
    gateway.restart()
    assert gateway.chat("priced", key=keys[0], max_tokens=5).status == 422
    events = sorted((body for body in bodies(hook) if "event" in body), key=lambda event: event["spend"])
    assert [(event["event"], event["event_group"], event["team_alias"]) for event in events] == [
        ("threshold_crossed", "team", "crew"), ("budget_crossed", "team", "crew"),
    ]  # fmt: skip
    assert events[1]["event_message"] == "Team Budget: Budget Crossed"
    texts = [body["text"] for body in bodies(hook) if "text" in body]
    assert len(texts) == 2
    assert all("crew" in text for text in texts)
    subjects = sorted(message.partition("\n")[0].strip() for message in mail.messages)
    assert subjects == ["Subject: Team Budget: 80% Threshold Crossed", "Subject: Team Budget: Budget Crossed"]
    assert all("To: ops@example.com" in message for message in mail.messages)
    everything = str(bodies(hook)) + str(mail.messages) + gateway.output()
    assert not any(key in everything for key in keys)
