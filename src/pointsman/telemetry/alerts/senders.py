"""Where alerts go: a webhook, Slack or what takes its messages, and mail. Addresses come from the operator alone."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from email.message import EmailMessage
from typing import Final, Protocol

import msgspec

from pointsman.core.secret import Secret
from pointsman.telemetry.alerts.events import BudgetEvent

__all__ = ["AlertFailed", "Mail", "Post", "Sender", "Slack", "Webhook"]

_TIMEOUT_SECONDS: Final = 10.0
_SMTPS_PORT: Final = 465
_GOOD: Final = range(200, 300)


class AlertFailed(Exception):
    """It was not taken; the message says why, without the address, which often is a secret itself."""


Post = Callable[[str, bytes], Awaitable[int]]
"""Posts JSON to an address and gives the status of the answer; raises ``AlertFailed`` where there is none."""


class Sender(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """What the operator calls it."""
        ...

    async def send(self, event: BudgetEvent, text: str) -> None:
        """Tell them.

        Raises:
            AlertFailed: it may be tried again.
        """
        ...


class Webhook:
    """LiteLLM's ``webhook``: the event as JSON."""

    name = "webhook"

    def __init__(self, post: Post, url: Secret) -> None:
        self._post = post
        self._url = url

    async def send(self, event: BudgetEvent, text: str) -> None:
        """See the protocol."""
        del text
        await _demand_taken(self._post(self._url.reveal(), msgspec.json.encode(event)))


class Slack:
    """A message for an incoming webhook of Slack: https://api.slack.com/messaging/webhooks."""

    name = "slack"

    def __init__(self, post: Post, url: Secret) -> None:
        self._post = post
        self._url = url

    async def send(self, event: BudgetEvent, text: str) -> None:
        """See the protocol."""
        del event
        await _demand_taken(self._post(self._url.reveal(), msgspec.json.encode({"text": text})))


class Mail(msgspec.Struct, frozen=True):
    """Mail over SMTP, with STARTTLS unless ``tls`` is False; port 465 speaks TLS from the beginning."""

    host: str
    sender: str
    recipients: Sequence[str]
    port: int = 587
    username: str | None = None
    password: Secret | None = None
    tls: bool = True

    @property
    def name(self) -> str:
        """See the protocol."""
        return "email"

    async def send(self, event: BudgetEvent, text: str) -> None:
        """See the protocol."""
        message = EmailMessage()
        message["Subject"] = event.event_message
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message.set_content(text.replace("`", ""))
        try:
            await asyncio.to_thread(self._deliver, message)
        except (OSError, smtplib.SMTPException) as error:
            raise AlertFailed(f"the mail server did not take it ({type(error).__name__})") from None

    def _deliver(self, message: EmailMessage) -> None:
        context = ssl.create_default_context()
        if self.port == _SMTPS_PORT:
            with smtplib.SMTP_SSL(self.host, self.port, timeout=_TIMEOUT_SECONDS, context=context) as server:
                self._hand_over(server, message)
            return
        with smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_SECONDS) as server:
            if self.tls:
                server.starttls(context=context)
            self._hand_over(server, message)

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        if self.username and self.password is not None:
            server.login(self.username, self.password.reveal())
        server.send_message(message)


async def _demand_taken(answer: Awaitable[int]) -> None:
    status = await answer
    if status not in _GOOD:
        raise AlertFailed(f"it was answered with {status}")
