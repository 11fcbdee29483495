"""Reads the values of one table of a price book, and says on which line what is wrong. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, TypeVar

from periplus_hub.pricing.engine.toml_lines import TomlLines
from periplus_hub.pricing.model import Tier

MOST_PER_UNIT: Final = Decimal(1_000)
"""A unit that costs more is a slip of the pen: no list has a tenth of it."""
_MOST_TEXT: Final = 500

E = TypeVar("E", bound=Enum)


class BookError(Exception):
    """What is wrong with a price book, on which line."""

    def __init__(self, line: int, wrong: str) -> None:
        super().__init__(f"line {line}: {wrong}")
        self.line = line


class Row:
    """One table of the file."""

    def __init__(self, values: Mapping[str, Any], lines: TomlLines, line: int, what: str) -> None:
        """`what`: its name in messages."""
        self._values = values
        self._lines = lines
        self.line = line
        self._what = what

    def refuse_others(self, known: Iterable[str]) -> None:
        """Keys that mean nothing here are slips, too."""
        for name in self._values:
            if name not in known:
                raise self.wrong(name, f"{self._what} has no key {name!r}; known are {', '.join(sorted(known))}")

    def wrong(self, key: str, text: str) -> BookError:
        """An error about this key."""
        return BookError(self._lines.key(self.line, key), text)

    def __contains__(self, key: str) -> bool:
        """Whether the file has this key."""
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._values.get(key, default)
        if value is None:
            raise BookError(self.line, f"{self._what} lacks {key!r}")
        if not isinstance(value, str) or not value.strip() or len(value) > _MOST_TEXT:
            raise self.wrong(key, f"{key} is a text of up to {_MOST_TEXT} characters")
        return value.strip()

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """One text, or a list of them."""
        value = self._values.get(key, default)
        if value is None:
            raise BookError(self.line, f"{self._what} lacks {key!r}")
        found = [value] if isinstance(value, str) else value
        are_texts = isinstance(found, list | tuple) and all(isinstance(each, str) and each.strip() for each in found)
        if not are_texts or not found:
            raise self.wrong(key, f"{key} is a text or a list of texts")
        return tuple(each.strip() for each in found)

    def words(self, key: str, kind: type[E]) -> tuple[E, ...]:
        """One or several words of an enumeration."""
        known = {each.value: each for each in kind}
        for word in self.texts(key):
            if word not in known:
                raise self.wrong(key, f"{key} {word!r} is not known; known are {', '.join(sorted(known))}")
        return tuple(known[word] for word in self.texts(key))

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number above 0."""
        value = self._values.get(key, default)
        if value is None:
            raise BookError(self.line, f"{self._what} lacks {key!r}")
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise self.wrong(key, f"{key} is a whole number above 0")
        return value

    def is_set(self, key: str) -> bool:
        """True or false; false where it is left out."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, f"{key} is true or false")
        return value

    def day(self, key: str, default: date | None) -> date | None:
        """A day, as 2026-10-01."""
        value = self._values.get(key, default)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.wrong(key, f"{key} is a day without quotes, as 2026-10-01")
        return value

    def amount(self, key: str) -> Decimal:
        """A price or a quantity: not below 0, and exact."""
        return self._amount(key, self._values.get(key))

    def price(self, key: str) -> Decimal:
        """What a unit costs."""
        return self._price(key, self._values.get(key))

    def tiers(self, unit_bytes: int) -> tuple[Tier, ...]:
        """`price` alone, or `tiers`: {quantity, price} in order, the last without a quantity."""
        if "tiers" not in self._values:
            return (Tier(None, self.price("price")),)
        rows = self._values["tiers"]
        if "price" in self._values or not isinstance(rows, list) or not rows:
            raise self.wrong("tiers", "a price has either price or tiers, a list of { quantity, price }")
        found = [self._tier(row, unit_bytes, is_last=number == len(rows)) for number, row in enumerate(rows, 1)]
        return tuple(found)

    def _tier(self, row: object, unit_bytes: int, *, is_last: bool) -> Tier:
        keys = {"price"} if is_last else {"quantity", "price"}
        if not isinstance(row, dict) or set(row) != keys:
            raise self.wrong("tiers", "each tier is { quantity, price }, and the last one { price }")
        price = self._price("tiers", row["price"])
        if is_last:
            return Tier(None, price)
        quantity = self._amount("tiers", row["quantity"])
        if not quantity or quantity * unit_bytes != int(quantity * unit_bytes):
            raise self.wrong("tiers", f"a tier of {quantity} units is no whole number of bytes")
        return Tier(quantity, price)

    def _price(self, key: str, value: object) -> Decimal:
        found = self._amount(key, value)
        if found > MOST_PER_UNIT:
            raise self.wrong(key, f"{found} for a unit is more than {MOST_PER_UNIT}: is it a price of another unit?")
        return found

    def _amount(self, key: str, value: object) -> Decimal:
        if value is None:
            raise BookError(self.line, f"{self._what} lacks {key!r}")
        try:
            found = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
        except InvalidOperation:
            found = None
        if found is None or not found.is_finite():
            raise self.wrong(key, f'{key} is a number, as "0.045"')
        if found < 0:
            raise self.wrong(key, f"{key} is {found}: prices and quantities are not below 0")
        return found
