"""Reads a price book from TOML, with the line of every error. Pure."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from periplus_hub.pricing.engine.book_checks import check
from periplus_hub.pricing.engine.book_rows import BookError, Row
from periplus_hub.pricing.engine.toml_lines import TomlLines
from periplus_hub.pricing.model import EVERYWHERE, FixedPrice, FreePool, Meter, PathClass, Price, PriceBook

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_ROWS: Final = 20_000
_TABLES: Final = ("price", "fixed", "free_pool")
_BOOK: Final = frozenset({"book", "version", "provider", "currency", "unit", "unit_bytes", "valid_from", *_TABLES})
_COMMON: Final = frozenset({"sku", "region", "valid_from", "valid_until", "source", "verified", "price"})
_PRICE: Final = _COMMON | {"path_class", "meter", "peer", "tiers", "unit", "unit_bytes", "free_pool"}
_FIXED: Final = _COMMON | {"resource"}
_POOL: Final = frozenset({"name", "quantity", "scope", "source"})
_SCOPES: Final = ("payer", "account")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_TOML_LINE: Final = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands at the top, and holds for every row that does not say otherwise."""

    provider: str
    named: str
    unit: str
    unit_bytes: int
    valid_from: date


def read_book(text: str) -> PriceBook:
    """The book that a file holds; raises BookError."""
    if len(text.encode()) > MOST_BYTES:
        raise BookError(1, f"the file is larger than {MOST_BYTES:,} bytes")
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = _TOML_LINE.search(str(error))
        raise BookError(int(line[1]) if line else 1, f"this is no TOML: {error}") from error
    lines = TomlLines(text)
    top = Row(values, lines, 1, "a price book")
    top.refuse_others(_BOOK)
    head = _head(top)
    pools = {pool.name: pool for pool in (_pool(row, head) for row in _rows(values, lines, "free_pool"))}
    prices = [price for row in _rows(values, lines, "price") for price in _prices(row, head)]
    fixed = [_fixed(row, head) for row in _rows(values, lines, "fixed")]
    currency = top.text("currency")
    if not _CURRENCY.fullmatch(currency):
        raise top.wrong("currency", f"currency {currency!r} is not of three capital letters, as USD")
    if not prices:
        raise BookError(1, "the book has no price")
    check(prices, fixed, pools)
    return PriceBook(
        name=top.text("book"),
        provider=head.provider,
        version=top.text("version"),
        currency=currency,
        prices=tuple(prices),
        fixed=tuple(fixed),
        free_pools=pools,
    )


def _head(top: Row) -> _Head:
    valid_from = top.day("valid_from", None)
    if valid_from is None:
        raise BookError(1, "a price book lacks 'valid_from', the first day on which its prices hold")
    return _Head(
        provider=top.text("provider"),
        named=f"{top.text('book')} {top.text('version')}",
        unit=top.text("unit"),
        unit_bytes=top.number("unit_bytes"),
        valid_from=valid_from,
    )


def _rows(values: dict[str, Any], lines: TomlLines, name: str) -> Sequence[Row]:
    tables = values.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise BookError(lines.table(name), f"{name} stands in tables of its own: [[{name}]]")
    if len(tables) > MOST_ROWS:
        raise BookError(lines.table(name), f"there are more than {MOST_ROWS:,} of [[{name}]]")
    return [Row(each, lines, lines.table(name, number), f"[[{name}]]") for number, each in enumerate(tables)]


def _pool(row: Row, head: _Head) -> FreePool:
    row.refuse_others(_POOL)
    scope = row.text("scope")
    if scope not in _SCOPES:
        raise row.wrong("scope", f"scope is one of {', '.join(_SCOPES)}")
    quantity = row.amount("quantity")
    if quantity * head.unit_bytes != int(quantity * head.unit_bytes):
        raise row.wrong("quantity", f"{quantity} units are no whole number of bytes")
    return FreePool(
        name=row.text("name"),
        quantity=quantity,
        unit_bytes=head.unit_bytes,
        scope=scope,
        source=row.text("source"),
    )


def _prices(row: Row, head: _Head) -> Sequence[Price]:
    """One for each of its meters."""
    row.refuse_others(_PRICE)
    unit_bytes = row.number("unit_bytes", head.unit_bytes)
    valid_from, valid_until = _days(row, head)
    return [
        Price(
            sku=row.text("sku"),
            provider=head.provider,
            path_classes=frozenset(row.words("path_class", PathClass)),
            meter=meter,
            regions=frozenset(row.texts("region", [EVERYWHERE])),
            peers=frozenset(row.texts("peer", [EVERYWHERE])),
            unit=row.text("unit", head.unit),
            unit_bytes=unit_bytes,
            tiers=row.tiers(unit_bytes),
            free_pool=row.text("free_pool") if "free_pool" in row else None,
            valid_from=valid_from,
            valid_until=valid_until,
            source=row.text("source"),
            is_verified=row.is_set("verified"),
            book=head.named,
            line=row.line,
        )
        for meter in row.words("meter", Meter)
    ]


def _fixed(row: Row, head: _Head) -> FixedPrice:
    row.refuse_others(_FIXED)
    valid_from, valid_until = _days(row, head)
    return FixedPrice(
        sku=row.text("sku"),
        provider=head.provider,
        resource=row.text("resource"),
        regions=frozenset(row.texts("region", [EVERYWHERE])),
        price=row.price("price"),
        valid_from=valid_from,
        valid_until=valid_until,
        source=row.text("source"),
        is_verified=row.is_set("verified"),
        book=head.named,
        line=row.line,
    )


def _days(row: Row, head: _Head) -> tuple[date, date | None]:
    since, until = row.day("valid_from", head.valid_from), row.day("valid_until", None)
    if since is None or (until is not None and until <= since):
        raise row.wrong(
            "valid_until", "valid_until is the first day on which the price does not hold: after valid_from"
        )
    return since, until
