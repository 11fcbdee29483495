"""The types of columns: everything that either program has to know of one, said once.

Both derive from here the Arrow type, the word in the reference, how values are written, measured and cut, and what
each value is held against. A further type is a line in `COLUMN_TYPES` and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from periplus_contract.limits import EARLIEST_US, LATEST_US
from periplus_contract.rejections import Reason


class Layout(Enum):
    """How Arrow lays out the values of a column, beside the bitmap that says which of them are null."""

    NUMBERS = "numbers"
    """One buffer of numbers of one width."""
    BITS = "bits"
    """One bit per value."""
    TEXTS = "texts"
    """Where each text ends, and the bytes of all. Held against `MAX_TEXT_BYTES` and free of NUL."""
    LISTS = "lists"
    """Where each list ends, and the items of all as a column of their own. Held against `MAX_LIST_ITEMS`."""


class Bounds(NamedTuple):
    """Numbers that a column takes; a row with another is set aside for `reason`."""

    least: int
    most: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnType:
    """One type of column."""

    word: str
    """What the reference calls it, in Arrow's own words where there are some."""
    arrow: Callable[[Any], Any]
    """The type in an Arrow library: pyarrow and nanoarrow call their constructors alike."""
    layout: Layout
    code: str = ""
    """Of numbers: one of them as `array` and numpy call it, which gives width and sign."""
    bounds: Bounds | None = None
    """Of numbers: what is allowed; None for everything that fits."""
    item: "ColumnType | None" = None
    """Of lists: what they hold."""

    def __str__(self) -> str:
        return self.word


UTF8: Final = ColumnType(word="utf8", arrow=lambda arrow: arrow.string(), layout=Layout.TEXTS)
BOOL: Final = ColumnType(word="bool", arrow=lambda arrow: arrow.bool_(), layout=Layout.BITS)
INT64: Final = ColumnType(word="int64", arrow=lambda arrow: arrow.int64(), layout=Layout.NUMBERS, code="q")
TIME_BOUNDS: Final = Bounds(EARLIEST_US, LATEST_US, Reason.BAD_TIME)
TIMESTAMP: Final = ColumnType(
    word="timestamp",
    arrow=lambda arrow: arrow.timestamp("us", "UTC"),
    layout=Layout.NUMBERS,
    code="q",
    bounds=TIME_BOUNDS,
)
UTF8_LIST: Final = ColumnType(
    word="list<utf8>", arrow=lambda arrow: arrow.list_(arrow.string()), layout=Layout.LISTS, item=UTF8
)

COLUMN_TYPES: Final = (UTF8, BOOL, INT64, TIMESTAMP, UTF8_LIST)
"""Every type that a table of this contract may use."""
