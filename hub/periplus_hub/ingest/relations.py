"""Checks that hold a row against the rest of its batch: rows of other sections, and the window in the header.

Whole columns at a time, on rows that each keep the contract already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from periplus_contract.batch import Header
from periplus_contract.rejections import Reason
from periplus_contract.tables import Column, Table
from periplus_hub.ingest.columns import Checked, Mask, set_aside
from periplus_hub.ingest.model import Rejected

Numbers = npt.NDArray[np.int64]


@dataclass(slots=True)
class CheckedSections:
    """The sections of a batch as they are read, one after the other."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    kept: dict[str, Mask] = field(default_factory=dict)
    """Of each section what is still there, by the numbers its rows had when they came."""

    def add(self, name: str, came: int, checked: Checked) -> None:
        """A section of `came` rows."""
        self.tables[name] = checked.rows
        self.rejected += checked.rejected
        self.kept[name] = np.ones(came, dtype=np.bool_) if checked.kept is None else checked.kept


def relate(sections: CheckedSections, contracts: Mapping[str, Table], header: Header) -> None:
    """Set aside what does not fit the rest of the batch, and let references mean the rows that are left."""
    for name, table in sections.tables.items():
        contract = contracts[name]
        if contract.has_windows and table.num_rows:
            _replace(sections, name, set_aside(table, name, _outside_window(table, header)))
    for name in tuple(sections.tables):
        references = [column for column in contracts[name].columns if column.refers_to]
        if references and sections.tables[name].num_rows:
            _resolve(sections, name, references)


def _replace(sections: CheckedSections, name: str, checked: Checked) -> None:
    sections.tables[name] = checked.rows
    sections.rejected += checked.rejected


def _outside_window(table: pa.Table, header: Header) -> list[tuple[Reason, Mask]]:
    starts, lengths = _numbers(table, "window_start"), _numbers(table, "window_s")
    outside = (starts < header.window_start_s) | (starts + lengths > header.window_start_s + header.window_s)
    return [(Reason.OUTSIDE_WINDOW, outside)] if outside.any() else []


def _resolve(sections: CheckedSections, name: str, references: list[Column]) -> None:
    table, nothing = sections.tables[name], np.zeros(0, dtype=np.bool_)
    dangling = np.zeros(table.num_rows, dtype=np.bool_)
    for column in references:
        dangling |= ~_leads_to(_numbers(table, column.name), sections.kept.get(column.refers_to, nothing))
    if dangling.any():
        _replace(sections, name, set_aside(table, name, [(Reason.DANGLING_REFERENCE, dangling)]))
    for column in references:
        kept = sections.kept.get(column.refers_to, nothing)
        if not kept.all():
            sections.tables[name] = _renumbered(sections.tables[name], column.name, kept)


def _leads_to(numbers: Numbers, kept: Mask) -> Mask:
    within = (numbers >= 0) & (numbers < len(kept))
    if not kept.all():
        within[within] = kept[numbers[within]]
    return within


def _renumbered(table: pa.Table, name: str, kept: Mask) -> pa.Table:
    now = np.cumsum(kept, dtype=np.int64) - 1
    where = table.schema.get_field_index(name)
    return table.set_column(where, table.schema.field(where), pa.array(now[_numbers(table, name)]))


def _numbers(table: pa.Table, name: str) -> Numbers:
    """A column without nulls."""
    return np.asarray(table.column(name).to_numpy(), dtype=np.int64)
