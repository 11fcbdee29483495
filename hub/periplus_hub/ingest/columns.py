"""Row checks, a column at a time.

Every check first asks the cheap whole-column question (is anything wrong at all?); masks are built only when the
answer is yes. Rows that fail are set aside by reason; the others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from periplus_contract import limits
from periplus_contract.column_types import TIME_BOUNDS, TIMESTAMP, Bounds, ColumnType, Layout
from periplus_contract.hosts import HOST, MAX_HOST
from periplus_contract.rejections import Reason
from periplus_contract.tables import Column, Table
from periplus_hub.ingest.model import MAX_SAMPLE_ROWS, Rejected

Mask = npt.NDArray[np.bool_]

MAX_SAMPLE_BYTES: Final = 4_096
KEY_COLUMNS: Final = frozenset({"uid", "provider", "name", "node", "scope", "kind", "cidr"})
"""Columns that are part of a primary key in some table of ours, and so of an index entry."""
OPS: Final = pa.array(["upsert", "delete"])
_UPSERT: Final = b"upsert"


class Checked(NamedTuple):
    """The rows that keep the contract, and what was set aside; a row counts under its first reason only."""

    rows: pa.Table
    rejected: list[Rejected]
    kept: Mask | None
    """Which of the rows that came these are; None for all."""


def check_rows(table: pa.Table, contract: Table) -> Checked:
    """Every check that looks at one row alone."""
    return set_aside(table, contract.name, list(_problems(table, contract)) if table.num_rows else [])


def set_aside(table: pa.Table, name: str, problems: Sequence[tuple[Reason, Mask]]) -> Checked:
    """Without the rows that any of the masks has."""
    if not problems:
        return Checked(table, [], None)
    bad = np.zeros(table.num_rows, dtype=np.bool_)
    entries: dict[Reason, Rejected] = {}
    for reason, mask in problems:
        fresh = mask & ~bad
        bad |= mask
        count = int(fresh.sum())
        if not count:
            continue
        sample = _sample(table, fresh)
        known = entries.get(reason)
        total = count + (known.rows if known else 0)
        entries[reason] = Rejected(table=name, reason=reason, rows=total, sample=known.sample if known else sample)
    return Checked(table.filter(pa.array(~bad)), list(entries.values()), ~bad)


def _sample(table: pa.Table, mask: Mask) -> str:
    few = table.take(pa.array(np.flatnonzero(mask)[:MAX_SAMPLE_ROWS]))
    rows = pa.table([_shown(values) for values in few.itercolumns()], few.column_names).to_pylist()
    return "\n".join(str(row).replace("\0", "\\0")[: MAX_SAMPLE_BYTES // MAX_SAMPLE_ROWS] for row in rows)


def _shown(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times that do not fit stay numbers: some are beyond what Python can write."""
    is_time = pa.types.is_timestamp(values.type)
    fit = not is_time or all(_lies_within(TIME_BOUNDS, TIMESTAMP, chunk) for chunk in values.chunks)
    return values if fit else values.cast(pa.int64())


def _problems(table: pa.Table, contract: Table) -> Iterator[tuple[Reason, Mask]]:
    for column, values in zip(contract.columns, table.itercolumns(), strict=True):
        if not column.nullable and values.null_count:
            yield Reason.MISSING_VALUE, _mask(pc.is_null(values))
        yield from _CHECKS[column.type.layout](column, values)
    if "op" in table.column_names:
        yield from _bad_ops(table.column("op"))
    if "uid" in table.column_names:
        yield from _repeated(table.column("uid"))


def _mask(values: pa.ChunkedArray) -> Mask:
    """Nulls are no verdict: a check that cannot tell says no."""
    filled = pc.fill_null(values, fill_value=False)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _text(column: Column, values: pa.ChunkedArray) -> Iterator[tuple[Reason, Mask]]:
    longest = limits.MAX_KEY_BYTES if column.name in KEY_COLUMNS else limits.MAX_TEXT_BYTES
    sizes_fit, has_nul = _look(values, longest)
    if not sizes_fit:
        yield Reason.TEXT_TOO_LONG, _mask(pc.greater(pc.binary_length(values), longest))
    if has_nul:
        yield Reason.BAD_TEXT, _mask(pc.match_substring(values, "\0"))
    if column.is_host and values.null_count < len(values):
        are_hosts = _are_hosts(values)
        if not pc.all(are_hosts).as_py():
            yield Reason.BAD_HOST, _mask(pc.invert(are_hosts))


def _are_hosts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    is_short = pc.less_equal(pc.binary_length(values), MAX_HOST)
    return pc.and_(is_short, pc.match_substring_regex(values, f"^(?:{HOST})$"))


def _look(values: pa.ChunkedArray, longest: int) -> tuple[bool, bool]:
    """Whether every text fits, and whether any byte is zero; straight from the buffers, a tenth of two kernels' time.

    Texts behind nulls are looked at too, so either answer may be a false alarm: the masks decide.
    """
    sizes_fit, has_nul = True, False
    for chunk in values.chunks:
        _, ends, data = chunk.buffers()
        if data is None or ends is None or not data.size or not len(chunk):
            continue
        bounds = _bounds(ends, chunk)
        start, end = int(bounds[0]), int(bounds[-1])
        sizes_fit = sizes_fit and (end - start <= longest or bool(np.diff(bounds).max() <= longest))
        has_nul = has_nul or b"\0" in bytes(memoryview(data)[start:end])
    return sizes_fit, has_nul


def _bounds(ends: pa.Buffer, chunk: pa.Array) -> npt.NDArray[np.int32]:
    """Where each text begins and the last one ends. A buffer may have any length, as long as these are in it."""
    return np.frombuffer(ends, np.int32, len(chunk) + 1, chunk.offset * 4)


def _list(column: Column, values: pa.ChunkedArray) -> Iterator[tuple[Reason, Mask]]:
    whole = values.combine_chunks()
    elements = whole.flatten()
    if len(elements) > limits.MAX_LIST_ITEMS:
        yield from _long_lists(whole)
    if elements.null_count:
        yield Reason.BAD_TEXT, _rows_of(whole, pc.is_null(elements))
    item = Column("item", column.type.item) if column.type.item else column
    for reason, mask in _CHECKS[item.type.layout](item, pa.chunked_array([elements])):
        yield reason, _rows_of(whole, pa.array(mask))


def _long_lists(lists: pa.Array) -> Iterator[tuple[Reason, Mask]]:
    longest = int(np.diff(_bounds(lists.buffers()[1], lists)).max())
    if longest > limits.MAX_LIST_ITEMS:  # or behind a null
        yield Reason.TOO_MANY_ITEMS, _mask(pc.greater(pc.list_value_length(lists), limits.MAX_LIST_ITEMS))


def _rows_of(lists: pa.Array, bad_elements: pa.Array) -> Mask:
    mask = np.zeros(len(lists), dtype=np.bool_)
    mask[np.asarray(pc.list_parent_indices(lists).filter(bad_elements))] = True
    return mask


def _number(column: Column, values: pa.ChunkedArray) -> Iterator[tuple[Reason, Mask]]:
    bounds = column.bounds or column.type.bounds
    if bounds is None or values.null_count == len(values):
        return
    if not all(_lies_within(bounds, column.type, chunk) for chunk in values.chunks):
        raw = values.cast(pa.from_numpy_dtype(np.dtype(column.type.code).str))
        yield bounds.reason, _mask(pc.or_(pc.less(raw, bounds.least), pc.greater(raw, bounds.most)))


def _lies_within(bounds: Bounds, of: ColumnType, chunk: pa.Array) -> bool:
    """As `_look`: what lies behind nulls may be a false alarm."""
    data, number = chunk.buffers()[1], np.dtype(of.code)
    if data is None or not len(chunk):
        return True
    raw = np.frombuffer(data, number, len(chunk), chunk.offset * number.itemsize)
    return bool(raw.min() >= bounds.least and raw.max() <= bounds.most)


def _nothing(_column: Column, _values: pa.ChunkedArray) -> Iterator[tuple[Reason, Mask]]:
    yield from ()


_CHECKS: Final[dict[Layout, Callable[[Column, pa.ChunkedArray], Iterator[tuple[Reason, Mask]]]]] = {
    Layout.NUMBERS: _number,
    Layout.BITS: _nothing,
    Layout.TEXTS: _text,
    Layout.LISTS: _list,
}


def _bad_ops(ops: pa.ChunkedArray) -> Iterator[tuple[Reason, Mask]]:
    if not all_upserts(ops):
        known = pc.is_in(ops, value_set=OPS)
        if not pc.all(known).as_py():
            yield Reason.BAD_OP, ~_mask(known)


def all_upserts(ops: pa.ChunkedArray) -> bool:
    """Whether nothing is deleted: in a snapshot always, in a delta mostly. A comparison of bytes tells."""
    return not ops.null_count and all(map(_is_upsert, ops.chunks))


def _is_upsert(chunk: pa.Array) -> bool:
    _, ends, data = chunk.buffers()
    if not len(chunk):
        return True
    if data is None or ends is None:
        return False
    bounds = _bounds(ends, chunk)
    same = bytes(memoryview(data)[int(bounds[0]) : int(bounds[-1])]) == _UPSERT * len(chunk)
    return same and bool((np.diff(bounds) == len(_UPSERT)).all())


def _repeated(uids: pa.ChunkedArray) -> Iterator[tuple[Reason, Mask]]:
    """Of rows with one uid the last counts: it is what the object became."""
    if pc.count_distinct(uids).as_py() == len(uids):
        return
    numbered = pa.table({"uid": uids, "row": np.arange(len(uids))})
    last = numbered.group_by("uid").aggregate([("row", "max")]).column("row_max")
    mask = np.ones(len(uids), dtype=np.bool_)
    mask[np.asarray(last)] = False
    yield Reason.DUPLICATE_UID, mask
