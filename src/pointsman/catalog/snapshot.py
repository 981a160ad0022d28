"""The catalogue file of this package: its format, and reading one row without decoding the others.

Unpacked (zlib, gzip framing) it is text, one line each::

    {"format":1,"made":"2026-11-23",…}          the header, a JSON object
    gpt-4o-mini<TAB>["openai",0,"chat",…]       rows, sorted by key: the key in lower case, and a Row as a JSON array

A row is found by bisecting the text, so the memory taken is the text's and no more, and nothing is decoded that
nobody asked for.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from pointsman.catalog.models import ModelFacts
from pointsman.core.errors import Misconfigured
from pointsman.core.price import FEMTODOLLARS_PER_DOLLAR, Price, Tier, UnitPrice, femtodollars

__all__ = [
    "FORMAT",
    "Header",
    "PriceRow",
    "Row",
    "Snapshot",
    "Source",
    "TierRow",
    "UnitRow",
    "packaged_bytes",
    "price_row",
]

FORMAT: Final = 1

UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_NAMES_MODELS: Final = "litellm"
"""The source whose keys are what models are asked for by; the other also names models as others call them."""
_IS_A_PRICE: Final = re.compile(
    r"^ft:|\*|\d-x-\d|max-x-max|-commitment/|^(?:low|medium|high|standard|hd|auto)/|^container$"
)
_DATE: Final = re.compile(rb"\d{8}|\d{4}-\d{2}-\d{2}")


class Source(msgspec.Struct, frozen=True):
    """Where rows come from: a published package, one member of it, and both digests (hexadecimal SHA-256)."""

    name: str
    version: str
    licence: str
    package: str
    package_sha256: str
    member: str
    member_sha256: str
    rows: int


class Header(msgspec.Struct, frozen=True):
    """The provenance of the file. ``rounded`` names the rows whose published prices are no whole femtodollars."""

    format: int
    made: str
    unit: str
    capabilities: tuple[str, ...]
    sources: tuple[Source, ...]
    rounded: tuple[str, ...] = ()


class PriceRow(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A :class:`Price` in decimal USD, fields in its order; None as there."""

    input: str
    output: str
    cache_read: str | None = None
    cache_write: str | None = None
    reasoning: str | None = None
    audio_input: str | None = None
    audio_output: str | None = None
    per_request: str | None = None
    tiers: tuple[TierRow, ...] = ()
    units: UnitRow | None = None

    def price(self) -> Price:
        """The same as integers."""
        return Price(
            input=femtodollars(self.input),
            output=femtodollars(self.output),
            cache_read=_optional(self.cache_read),
            cache_write=_optional(self.cache_write),
            reasoning=_optional(self.reasoning),
            audio_input=_optional(self.audio_input),
            audio_output=_optional(self.audio_output),
            per_request=_optional(self.per_request) or 0,
            tiers=tuple(Tier(tier.above_tokens, tier.price.price(), tier.service) for tier in self.tiers),
            units=None if self.units is None else self.units.price(),
        )


class UnitRow(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A :class:`UnitPrice` in decimal USD, fields in its order; None: zero, or as there."""

    image: str | None = None
    character: str | None = None
    second: str | None = None
    query: str | None = None
    image_input: str | None = None
    image_output: str | None = None

    def price(self) -> UnitPrice:
        """The same as integers."""
        return UnitPrice(
            image=_optional(self.image) or 0,
            character=_optional(self.character) or 0,
            second=_optional(self.second) or 0,
            query=_optional(self.query) or 0,
            image_input=_optional(self.image_input),
            image_output=_optional(self.image_output),
        )


class TierRow(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A :class:`Tier`."""

    above_tokens: int
    price: PriceRow
    service: str = ""


class Row(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One model. ``source`` indexes the header's sources, ``capabilities`` has a bit for each of the header's."""

    provider: str
    source: int
    mode: str | None = None
    context_tokens: int | None = None
    output_tokens_max: int | None = None
    capabilities: int = 0
    price: PriceRow | None = None


class Snapshot:
    """The unpacked file; ``read`` is called once, at the first question."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read

    @property
    def header(self) -> Header:
        """The provenance of the rows.

        Raises:
            Misconfigured: The file is damaged or of another format.
        """
        return self._opened[0]

    def row(self, key: str) -> Row | None:
        """The row of exactly this key, whatever its case."""
        rows, wanted = self._opened[1], _encoded(key)
        start = _seek(rows, wanted)
        end = rows.find(b"\n", start)
        found, _, row = rows[start:end].partition(b"\t")
        return msgspec.json.decode(row, type=Row) if found == wanted and row else None

    def facts(self, key: str, row: Row) -> ModelFacts:
        """What a row says, in this gateway's words."""
        header = self.header
        source = header.sources[row.source]
        return ModelFacts(
            key=key.lower(),
            source=f"{source.name} {source.version}",
            context_tokens=row.context_tokens,
            output_tokens_max=row.output_tokens_max,
            mode=row.mode,
            capabilities=frozenset(name for bit, name in enumerate(header.capabilities) if row.capabilities >> bit & 1),
            price=None if row.price is None else row.price.price(),
        )

    def newest_dated(self, key: str) -> str | None:
        """The latest of the keys that are ``key`` and a date (``-20251001`` or ``-2025-10-01``)."""
        rows, wanted = self._opened[1], _encoded(key) + b"-"
        newest = b""
        at = _seek(rows, wanted)
        while rows.startswith(wanted, at):
            tail = rows[at + len(wanted) : rows.find(b"\t", at)]
            if _DATE.fullmatch(tail) and tail.replace(b"-", b"") > newest.replace(b"-", b""):
                newest = tail
            at = rows.find(b"\n", at) + 1
        return f"{key.lower()}-{newest.decode()}" if newest else None

    def keys(self) -> Iterator[str]:
        """All keys, ascending."""
        for line in self._opened[1].splitlines():
            yield line.partition(b"\t")[0].decode()

    @cached_property
    def models(self) -> Mapping[str, tuple[str, ...]]:
        """The names of each provider's models, as far as LiteLLM's list has them, in the order of the alphabet.

        Without rows that are a price and no model: of fine-tuned ones, of sizes of pictures, of commitments.
        """
        names: dict[str, set[str]] = {}
        decode = msgspec.json.Decoder(Row).decode
        for line in self._opened[1].splitlines():
            key, _, text = line.partition(b"\t")
            row = decode(text)
            name = key.decode().removeprefix(f"{row.provider}/")
            if self.header.sources[row.source].name == _NAMES_MODELS and not _IS_A_PRICE.search(name):
                names.setdefault(row.provider, set()).add(name)
        return {provider: tuple(sorted(found)) for provider, found in names.items()}

    @cached_property
    def _opened(self) -> tuple[Header, bytes]:
        """The header, and the rows with a line break behind each."""
        try:
            unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
            text = unpacker.decompress(self._read(), UNPACKED_BYTES_MAX)
            head, _, rows = text.partition(b"\n")
            header = msgspec.json.decode(head, type=Header)
        except (zlib.error, msgspec.DecodeError, OSError) as problem:
            message = f"the model catalogue cannot be read: {problem}"
            raise Misconfigured(message, hint="Install the package again.") from None
        if header.format != FORMAT or not unpacker.eof:
            message = f"the model catalogue is cut off or has format {header.format}, not {FORMAT}"
            raise Misconfigured(message, hint="Install the package again.")
        return header, rows


def packaged_bytes() -> bytes:
    """The file that came with this package."""
    return Path(__file__).with_name("snapshot.gz").read_bytes()


def price_row(price: Price) -> PriceRow:
    """The row for a price; exact, since a femtodollar is a decimal."""
    return PriceRow(
        input=_dollars(price.input),
        output=_dollars(price.output),
        cache_read=None if price.cache_read is None else _dollars(price.cache_read),
        cache_write=None if price.cache_write is None else _dollars(price.cache_write),
        reasoning=None if price.reasoning is None else _dollars(price.reasoning),
        audio_input=None if price.audio_input is None else _dollars(price.audio_input),
        audio_output=None if price.audio_output is None else _dollars(price.audio_output),
        per_request=_dollars(price.per_request) if price.per_request else None,
        tiers=tuple(TierRow(tier.above_tokens, price_row(tier.price), tier.service) for tier in price.tiers),
        units=None if price.units is None else _unit_row(price.units),
    )


def _unit_row(units: UnitPrice) -> UnitRow:
    given = {name: _dollars(amount) for name, amount in msgspec.structs.asdict(units).items() if amount}
    return UnitRow(**given)


def _encoded(key: str) -> bytes:
    return key.lower().encode("utf-8", "surrogatepass")


def _seek(rows: bytes, wanted: bytes) -> int:
    """Where the first line starts whose key is not less than ``wanted``; the end if there is none."""
    low, high = 0, len(rows)
    while low < high:
        middle = rows.rfind(b"\n", low, (low + high) // 2) + 1 or low
        tab = rows.find(b"\t", middle)
        if rows[middle:tab] < wanted:
            low = rows.find(b"\n", tab) + 1
        else:
            high = middle
    return low


def _optional(dollars: str | None) -> int | None:
    return None if dollars is None else femtodollars(dollars)


def _dollars(amount: int) -> str:
    """Femtodollars as the shortest decimal of USD: ``1.5E-7``."""
    return str((Decimal(amount) / FEMTODOLLARS_PER_DOLLAR).normalize())
