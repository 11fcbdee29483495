"""Ranges as CSV: reading what people send, with every fault by its line, and writing it again. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from periplus_contract.text import visible
from periplus_hub.addresses.ranges.engine.rules import (
    LONGEST,
    USES,
    Broken,
    expiry_trouble,
    range_of,
    text_trouble,
    time_of,
)
from periplus_hub.addresses.ranges.model import RangeUse, Wish

T = TypeVar("T")

COLUMNS: Final = ("cidr", "domain", "use", "name", "owner", "note", "expires_at")
REQUIRED: Final = ("cidr", "domain", "use")
MAX_ROWS: Final = 20_000
MAX_TROUBLES: Final = 100
"""After so many faults nobody reads on."""
_SHOWN: Final = 64


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault in the text; `line` counts from 1, the heading's."""

    line: int
    message: str
    remedy: str


@dataclass(slots=True)
class ReadRanges:
    """What a text asks for; where there are troubles, nothing of it may be taken."""

    wishes: list[Wish] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


class _Faulty(Exception):
    """A row breaks a rule."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.message)
        self.broken = broken


def read_csv(text: str, domains: Mapping[str, UUID], now: datetime) -> ReadRanges:
    """Every row of the text. `domains` are the network domains there are, by name and by id.

    Columns and uses are taken in any case: who writes them in a spreadsheet does not choose it.
    """
    found = ReadRanges()
    rows = _rows(text, found)
    heading = next(rows, None)
    if heading is None:
        if not found.troubles:
            found.troubles.append(Trouble(1, "there is no line", f"Begin with the columns: {','.join(COLUMNS)}."))
        return found
    columns = [cell.lower() for cell in heading[1]]
    if broken := _heading_trouble(columns):
        found.troubles.append(Trouble(heading[0], broken.message, broken.remedy))
        return found
    lines: dict[tuple[UUID, str], int] = {}
    for line, cells in rows:
        if len(found.troubles) >= MAX_TROUBLES:
            break
        try:
            wish = _wish(_by_column(columns, cells), domains, now)
            _once(lines, wish, line)
        except _Faulty as fault:
            found.troubles.append(Trouble(line, fault.broken.message, fault.broken.remedy))
        else:
            found.wishes.append(wish)
    return found


def write_csv(rows: Iterable[Sequence[str]]) -> str:
    """Cells in the order of COLUMNS as a text that `read_csv` takes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    return out.getvalue()


def _rows(text: str, found: ReadRanges) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank with the lines they begin in."""
    reader, line, count = csv.reader(io.StringIO(text, newline=""), strict=True), 1, 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = "Put texts with commas or quotes between double quotes, and double the quotes in them."
            found.troubles.append(Trouble(line, f"this is no CSV: {error}", remedy))
            return
        if any(cell.strip() for cell in cells):
            count += 1
            if count > MAX_ROWS + 1:
                found.troubles.append(
                    Trouble(line, f"there are more than {MAX_ROWS:,} ranges", "Import them in parts.")
                )
                return
            yield line, [cell.strip() for cell in cells]
        # A row may span lines, where a text has line ends in quotes: it is told by the one that it begins in.
        line = reader.line_num + 1


def _heading_trouble(cells: Sequence[str]) -> Broken | None:
    known = f"The columns are {', '.join(COLUMNS)}."
    if strange := [cell for cell in cells if cell not in COLUMNS]:
        told = "an empty one" if not strange[0] else repr(visible(strange[0][:_SHOWN]))
        return Broken(f"there is no column {told}", f"{known} Divide them by commas.")
    if twice := [cell for cell in cells if cells.count(cell) > 1]:
        return Broken(f"the column {twice[0]!r} is there twice", "Take one of the two out.")
    if missing := [column for column in REQUIRED if column not in cells]:
        return Broken(f"the column {missing[0]!r} is missing", known)
    return None


def _by_column(heading: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) != len(heading):
        raise _Faulty(
            Broken(
                f"there are {len(cells)} cells under {len(heading)} columns",
                "Give every column a cell, an empty one where there is nothing; put texts with commas between quotes.",
            )
        )
    return dict.fromkeys(COLUMNS, "") | dict(zip(heading, cells, strict=True))


def _wish(cells: Mapping[str, str], domains: Mapping[str, UUID], now: datetime) -> Wish:
    prefix = _good(range_of(cells["cidr"]))
    domain_id = domains.get(cells["domain"])
    if domain_id is None:
        named = repr(visible(cells["domain"][:_SHOWN]))
        raise _Faulty(Broken(f"there is no network domain {named}", "Make it first, or take its name from the list."))
    if cells["use"].lower() not in set(RangeUse):
        raise _Faulty(Broken(f"{visible(cells['use'][:_SHOWN])!r} is no use of a range", f"Write one of {USES}."))
    for column in LONGEST:
        if broken := text_trouble(column, cells[column]):
            raise _Faulty(broken)
    expires_at = _good(time_of(cells["expires_at"])) if cells["expires_at"] else None
    if broken := expiry_trouble(expires_at, now):
        raise _Faulty(broken)
    return Wish(
        domain_id=domain_id,
        cidr=str(prefix),
        use=RangeUse(cells["use"].lower()),
        name=cells["name"],
        owner=cells["owner"],
        note=cells["note"],
        expires_at=expires_at,
    )


def _good(value: T | Broken) -> T:
    if isinstance(value, Broken):
        raise _Faulty(value)
    return value


def _once(lines: dict[tuple[UUID, str], int], wish: Wish, line: int) -> None:
    first = lines.setdefault(wish.place, line)
    if first != line:
        told = f"{wish.cidr} is in line {first} already, in the same network domain"
        raise _Faulty(Broken(told, "Take one of the two out: a domain has a range once."))
