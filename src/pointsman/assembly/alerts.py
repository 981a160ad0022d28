"""Alerts, from what the configuration and the environment say to what sends them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.config.load import Loaded
from pointsman.core.errors import Misconfigured, UpstreamFailed
from pointsman.core.secret import Secret
from pointsman.policies.alerting import Watch
from pointsman.providers.transport import Transport
from pointsman.telemetry.alerts.desk import AlertDesk
from pointsman.telemetry.alerts.senders import AlertFailed, Mail, Post, Sender, Slack, Webhook

__all__ = ["alert_senders", "budget_watch"]

_BUDGET_ALERTS: Final = "budget_alerts"
_TIMEOUT_SECONDS: Final = 10.0
_SMTP_PORT: Final = 587
_PORT_MAX: Final = 65_535
_NO: Final = frozenset({"false", "0", "no", "off"})

_log: Final = logging.getLogger("pointsman.alerts")
_decode_urls: Final = msgspec.json.Decoder(str | list[str]).decode


def budget_watch(loaded: Loaded, desk: AlertDesk) -> Watch | None:
    """What notices thresholds that budgets pass; None: nobody is to be told."""
    return Watch(loaded.settings.local.budget_alert_percents, desk.note) if desk.senders else None


def alert_senders(loaded: Loaded, transport: Transport) -> tuple[Sender, ...]:
    """All ways in which the operator wants to be told of budgets; what cannot be is told in the log, as in LiteLLM."""
    general = loaded.settings.general_settings
    if general.alert_types is not None and _BUDGET_ALERTS not in general.alert_types:
        return ()
    post = _post_by(transport)
    found: list[Sender] = []
    for way in dict.fromkeys(general.alerting):
        try:
            found += _senders(way, loaded, post)
        except Misconfigured as wrong:
            _log.warning("%s", wrong.told())
    return tuple(found)


def _senders(way: str, loaded: Loaded, post: Post) -> list[Sender]:
    if way == "webhook":
        return [Webhook(post, _needed(loaded.variables, way, "WEBHOOK_URL"))]
    if way == "slack":
        return [Slack(post, url) for url in _slack_urls(loaded)]
    if way == "email":
        return [_mail(loaded)]
    message = f"general_settings.alerting: {way!r} is none of webhook, slack and email."
    raise Misconfigured(message, hint="No alerts go there.")


def _slack_urls(loaded: Loaded) -> list[Secret]:
    raw = loaded.settings.general_settings.alert_to_webhook_url.get(_BUDGET_ALERTS)
    if raw is None:
        return [_needed(loaded.variables, "slack", "SLACK_WEBHOOK_URL", "ALERTING_WEBHOOK_URL")]
    try:
        given = _decode_urls(raw)
    except msgspec.DecodeError:
        message = "general_settings.alert_to_webhook_url.budget_alerts: expected an address or a list of them."
        raise Misconfigured(message) from None
    return [Secret(url) for url in ([given] if isinstance(given, str) else given)]


def _mail(loaded: Loaded) -> Mail:
    variables = loaded.variables
    recipients = loaded.settings.local.alert_emails
    if not recipients:
        raise Misconfigured(
            "general_settings.alerting: email is sent to nobody.", hint="Name addresses in pointsman.alert_emails."
        )
    password = variables.get("SMTP_PASSWORD")
    return Mail(
        host=_needed(variables, "email", "SMTP_HOST").reveal(),
        sender=_needed(variables, "email", "SMTP_SENDER_EMAIL").reveal(),
        recipients=recipients,
        port=_port(variables.get("SMTP_PORT", "")),
        username=variables.get("SMTP_USERNAME") or None,
        password=Secret(password) if password else None,
        tls=variables.get("SMTP_TLS", "").strip().lower() not in _NO,
    )


def _port(text: str) -> int:
    if not text.strip():
        return _SMTP_PORT
    port = int(text) if text.strip().isdecimal() else 0
    if not 0 < port <= _PORT_MAX:
        message = "SMTP_PORT is not the number of a port."
        raise Misconfigured(message)
    return port


def _needed(variables: Mapping[str, str], way: str, *names: str) -> Secret:
    found = next((value for name in names if (value := variables.get(name, "").strip())), None)
    if found is None:
        message = f"general_settings.alerting: {way} needs {names[0]}."
        raise Misconfigured(message, hint="Set it in the environment, or under environment_variables.")
    return Secret(found)


def _post_by(transport: Transport) -> Post:
    async def post(url: str, body: bytes) -> int:
        try:
            reply = await transport.fetch("POST", url, body=body, timeout_seconds=_TIMEOUT_SECONDS)
        except (UpstreamFailed, Misconfigured) as failed:
            raise AlertFailed(f"there was no answer ({failed.code})") from None
        return reply.status

    return post
