"""``pointsman explain``: where a request would go, and why, without sending it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from pointsman.admin.office import Question
from pointsman.assembly.dialects import CLIENT_DIALECTS
from pointsman.assembly.dry_house import dry_house
from pointsman.assembly.explain import answer
from pointsman.cli.remote.client import DEFAULT_URL, GatewayClient, found_gateway
from pointsman.config.environment import process_environment
from pointsman.config.load import load
from pointsman.core.errors import Misconfigured
from pointsman.lifecycle.explanation import Candidate, Experiment, Explanation, FallbackChain, LimitState, WaitTold
from pointsman.stores.secret_sources import SecretSources

__all__ = ["explain"]

_LABEL_CHARACTERS: Final = 12
_DIGEST_CHARACTERS: Final = 64


@click.command(short_help="Tell where a request would go, and why.")
@click.argument("request", metavar="MODEL|FILE.json")
@click.option("--url", help=f"Address of a gateway that runs.  [default: {DEFAULT_URL}]")
@click.option(
    "--key", help="Its master key, or a virtual key.  [default: $POINTSMAN_API_KEY, else the one kept on this machine]"
)
@click.option("--for", "asker", metavar="KEY", help="The key that would ask, by its hash or alias (master key only).")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Ask this file, and no gateway.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header that the request would have.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def explain(
    request: str,
    url: str | None,
    key: str | None,
    asker: str | None,
    config_path: Path | None,
    headers: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Tell where a request for a MODEL, or the one in a FILE.json, would go, and why. It is not sent.

    A gateway that runs knows which servers are busy and what a key has left; a configuration alone (--config) knows
    neither. Exits with 1 where the request would be refused.
    """
    question = _question(request, headers)
    if config_path is not None:
        if url or key or asker:
            raise click.UsageError("--config asks no gateway, so it goes without --url, --key and --for.")
        house = dry_house(load(config_path, process_environment(), SecretSources()))
        told = answer(house, CLIENT_DIALECTS, house.keyring.master, question, for_operator=True)
    else:
        told = asyncio.run(_ask(found_gateway(url, key, None), asker, question))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        click.echo("\n".join(_lines(told)))
    if not told.admitted:
        raise SystemExit(1)


def _question(request: str, headers: tuple[str, ...]) -> Question:
    given = []
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"--header {header!r} must be NAME:VALUE.")
        given.append((name.strip().lower(), value.strip()))
    if not request.endswith(".json"):
        return Question(None, request, None, tuple(given))
    try:
        body = Path(request).read_bytes()
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except OSError as error:
        raise Misconfigured(f"{request} cannot be read: {error.strerror}.") from None
    except msgspec.MsgspecError as error:
        raise Misconfigured(f"{request} is not a JSON object: {error}.") from None
    return Question(body, None, None, tuple(given))


async def _ask(client: GatewayClient, asker: str | None, question: Question) -> Explanation:
    """What a gateway says.

    Raises:
        UpstreamFailed, Refused: it cannot be asked, or does not say.
    """
    body: dict[str, object] = {"headers": dict(question.headers)}
    body |= {"model": question.model} if question.model is not None else {}
    body |= {"request_body": msgspec.Raw(question.body)} if question.body is not None else {}
    body |= {"key": asker} if asker is not None else {}
    return await client.ask(Explanation, "POST", "/routing/explain", body)


def _lines(told: Explanation) -> Iterator[str]:
    """The table, for people."""
    asker = told.asker
    team = f", team {asker.team_id}" if asker.team_id else ""
    yield _line("asks", (asker.key_alias or asker.key[:12] or "nobody") + team)
    yield _line(
        "for", " → ".join([told.model, *(f"{step.to} ({step.by})" for step in told.resolved if step.by != "exact")])
    )
    limit = "no limit to the answer" if told.output_limit is None else f"{told.output_limit} out at most"
    yield _line("tokens", f"about {told.prompt_tokens} in, {limit}")
    if told.limits:
        yield _line("limits", "; ".join(map(_limit, told.limits)))
    if told.settings:
        yield _line("settings", "its own: " + ", ".join(told.settings))
    if told.rules:
        yield _line(
            "rules",
            "  ".join(f"✓ {one.name}" if one.unmet is None else f"✗ {one.name} ({one.unmet})" for one in told.rules),
        )
    if told.experiment is not None:
        yield _line("variant", _variant(told.experiment))
    if told.candidates:
        yield ""
        yield from _table(told.candidates)
        yield ""
    if told.deployment is not None:
        yield _line("chosen", f"{_short(told.deployment)} ({told.reason})")
    yield from _fallbacks(told.fallbacks)
    refusal = told.refusal
    if refusal is None:
        yield _line("answer", "it would be sent.")
    else:
        yield _line("answer", f"{refusal.status} {refusal.code}: {refusal.message} {refusal.hint or ''}".rstrip())


def _variant(told: Experiment) -> str:
    """The arm and the others, and what keeps the caller in it."""
    mine = next(arm for arm in told.arms if arm.name == told.arm)
    others = ", ".join(f"{arm.name} {arm.percent:g} %" for arm in told.arms if arm is not mine)
    stays = "drawn for each request" if told.stays_by == "request" else f"stays by its {told.stays_by}"
    served = "" if told.served else "; nobody of it can serve this, so the model itself does"
    return f"{mine.name} {mine.percent:g} % ({stays}; others: {others or 'none'}){served}"


def _fallbacks(chains: FallbackChain) -> Iterator[str]:
    """The chains, each with the failures after which it is followed."""
    causes: dict[tuple[str, ...], list[str]] = {}
    after = (
        ("a failure", chains.general),
        ("too long a prompt", chains.context_window),
        ("a policy", chains.content_policy),
    )
    for cause, chain in after:
        if chain:
            causes.setdefault(chain, []).append(cause)
    for chain, found in causes.items():
        yield _line("fallbacks", f"{' → '.join(chain)} (after {' or '.join(found)})")


def _table(candidates: tuple[Candidate, ...]) -> Iterator[str]:
    rows = [("", "DEPLOYMENT", "MODEL", "WAIT", "COST AT MOST", "LIKELY", "WHY")]
    rows += [
        (
            "→" if one.chosen else " " if one.kept else "✗",
            _short(one.deployment),
            f"{one.provider}/{one.model}" + (f" at {one.api_base}" if one.api_base else ""),
            _wait(one.wait),
            _usd(one.cost.bound),
            _usd(one.cost.likely),
            one.reason or "",
        )
        for one in candidates
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _short(identity: str) -> str:
    """An id; one that we have made ourselves is a digest, whose beginning is enough."""
    return f"{identity[:12]}…" if len(identity) == _DIGEST_CHARACTERS else identity


def _limit(state: LimitState) -> str:
    whose = "" if state.of in {"key", "gateway"} else f"{state.of}: "
    return f"{whose}{state.name.replace('_', ' ')} {state.limit:g}, {state.left:g} left"


def _wait(wait: WaitTold) -> str:
    return "?" if wait.total is None else f"{wait.total:g} s"


def _usd(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:.6f}".rstrip("0").rstrip(".")


def _line(label: str, text: str) -> str:
    return f"{label:{_LABEL_CHARACTERS}}{text}"
