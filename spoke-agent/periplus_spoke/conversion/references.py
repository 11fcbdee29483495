"""Sections whose rows name rows of another section, when they are cut."""

from array import array
from collections.abc import Sequence

from periplus_spoke.conversion.records import SectionRows, cells


def with_referred(piece: Sequence[SectionRows], referred: Sequence[SectionRows]) -> tuple[SectionRows, ...]:
    """The piece with those rows of the sections that it refers to; its references are the numbers they have there."""
    sections, needed = list(piece), []
    for target in referred:
        rows = sorted({row for section in sections for row in _named(section, target.table.name)})
        numbers = {row: number for number, row in enumerate(rows)}
        sections = [_renumbered(section, target.table.name, numbers) for section in sections]
        needed.append(target.take(rows))
    return (*needed, *sections)


def _columns(section: SectionRows, target: str) -> list[str]:
    return [column.name for column in section.table.columns if column.refers_to == target]


def _named(section: SectionRows, target: str) -> set[int]:
    return {int(row) for name in _columns(section, target) for row in _numbers(section, name)}


def _numbers(section: SectionRows, name: str) -> list[int]:
    return [row for row in cells(section.columns[name]) if isinstance(row, int)]


def _renumbered(section: SectionRows, target: str, numbers: dict[int, int]) -> SectionRows:
    changed = {
        name: array("q", map(numbers.__getitem__, _numbers(section, name))) for name in _columns(section, target)
    }
    return SectionRows(table=section.table, columns={**section.columns, **changed}, rows=section.rows)
