"""From an ipam batch's tables to rows to store. Pure; runs in the ingest's worker thread.

Allocations arrive as a complete set and only when it changed, a few thousand rows at most: reading them row by row is
cheap next to what a wrong CIDR would cost, so each one is checked.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from periplus_contract.covers import DERIVED
from periplus_contract.rejections import Reason
from periplus_hub.addresses.model import AllocationKind
from periplus_hub.addresses.prefixes import BadPrefix, Prefix, parse
from periplus_hub.addresses.repository_ipam import AllocationRows
from periplus_hub.ingest.model import MAX_SAMPLE_ROWS, Rejected

ALLOCATIONS: Final = "allocations"
POOLS: Final = "pools"

_KINDS: Final = frozenset(AllocationKind) - {AllocationKind.PLANNED}
"""What a cluster can report; plans are made in the hub."""
_COUNTS: Final = ("capacity", "assigned", "used", "reserved", "cooling", "free", "largest_free_block")
_NO_CLUSTERS: Final = tuple(
    map(parse, ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8"))
)
"""Loopback, link-local, multicast (RFC 6890, RFC 5771, RFC 4291): never routed, so never in anybody's way."""
_MAX_DIGITS: Final = 40
"""2^128 has 39."""

_TRUST: Final = {"submariner": 1, "kubeadm": 2, "nodes": 3, "observed": 4, "pods": 4, "services": 4}
"""Order of trust; a CNI's own objects come before all of these."""


@dataclass(frozen=True, slots=True)
class IpamRows:
    """What to store."""

    allocations: AllocationRows
    pools: tuple[dict[str, Any], ...]


class _Aside:
    """Rows set aside, by table and reason, with the first few as text."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, table: str, reason: str, row: Mapping[str, object]) -> None:
        self._rows[table, reason].append(str(row)[:256])

    def all(self) -> tuple[Rejected, ...]:
        return tuple(
            Rejected(table=table, reason=reason, rows=len(rows), sample="\n".join(rows[:MAX_SAMPLE_ROWS]))
            for (table, reason), rows in self._rows.items()
        )


def prepare(arrived: Mapping[str, pa.Table], covers: Collection[str]) -> tuple[IpamRows, tuple[Rejected, ...]]:
    """Check and convert the sections that arrived; what is covered and not named is none."""
    aside = _Aside()
    allocations = arrived[ALLOCATIONS].to_pylist() if ALLOCATIONS in arrived else []
    pools = arrived[POOLS].to_pylist() if POOLS in arrived else []
    rows = IpamRows(
        _allocations(allocations, covered_kinds(covers), aside), tuple(_pools(pools, covered_scopes(covers), aside))
    )
    return rows, aside.all()


def covered_kinds(covers: Collection[str]) -> dict[str, bool]:
    """Kinds of allocations that `covers` names, and whether all of each kind or only the derived ones."""
    kinds: dict[str, bool] = {}
    for cover in covers:
        section, _, kind = cover.partition("/")
        if section == ALLOCATIONS and kind.removesuffix(f"/{DERIVED}") in _KINDS:
            bare = kind.removesuffix(f"/{DERIVED}")
            kinds[bare] = kinds.get(bare, False) or bare == kind
    return kinds


def covered_scopes(covers: Collection[str]) -> frozenset[str]:
    """Scopes of pools that `covers` names."""
    return frozenset(cover.removeprefix(f"{POOLS}/") for cover in covers if cover.startswith(f"{POOLS}/"))


def _covers(kinds: Mapping[str, bool], row: Mapping[str, Any]) -> bool:
    return bool(kinds.get(row["kind"])) or (row["kind"] in kinds and row["quality"] == DERIVED)


def trust(source: str) -> int:
    """Rank of a source, most trusted first."""
    lowered = source.lower()
    return next((rank for mark, rank in _TRUST.items() if lowered.startswith(mark)), 0)


def _allocations(rows: Sequence[Mapping[str, Any]], covered: Mapping[str, bool], aside: _Aside) -> AllocationRows:
    best: dict[tuple[str, Prefix], Mapping[str, Any]] = {}
    for row in rows:
        if row["kind"] not in _KINDS:
            aside.add(ALLOCATIONS, Reason.BAD_KIND, row)
            continue
        if not _covers(covered, row):
            aside.add(ALLOCATIONS, Reason.NOT_COVERED, row)
            continue
        try:
            prefix = parse(row["cidr"])
        except BadPrefix as error:
            aside.add(ALLOCATIONS, error.reason, row)
            continue
        if any(space.covers(prefix) for space in _NO_CLUSTERS):
            aside.add(ALLOCATIONS, Reason.NO_RANGE_OF_A_CLUSTER, row)
            continue
        known = best.get((row["kind"], prefix))
        if known is None or trust(row["source"]) < trust(known["source"]):
            best[row["kind"], prefix] = row
    columns = AllocationRows()
    for (kind, prefix), row in sorted(best.items()):
        first_key, last_key = prefix.keys()
        columns.kind.append(kind)
        columns.cidr.append(str(prefix))
        columns.family.append(prefix.family)
        columns.first_key.append(first_key)
        columns.last_key.append(last_key)
        columns.provider.append(row["provider"])
        columns.source.append(row["source"])
        for name in ("name", "node", "quality"):
            getattr(columns, name).append(row[name] or "")
    return columns


def _pools(rows: Sequence[Mapping[str, Any]], covered: Collection[str], aside: _Aside) -> list[dict[str, Any]]:
    kept: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    for row in rows:
        reason, cidrs = _pool_fault(row)
        if row["scope"] not in covered:
            reason = Reason.NOT_COVERED
        key = (row["provider"], row["name"], row["family"], row["node"] or "")
        if reason is None and key in kept:
            reason = Reason.DUPLICATE_POOL
        if reason is not None:
            aside.add(POOLS, reason, row)
            continue
        kept[key] = {**row, "node": row["node"] or "", "cidrs": cidrs}
    return list(kept.values())


def _pool_fault(row: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    if row["family"] not in {4, 6}:
        return Reason.BAD_FAMILY, []
    if not all(_is_count(row[name]) for name in _COUNTS):
        return Reason.BAD_COUNT, []
    try:
        return None, [str(parse(cidr)) for cidr in row["cidrs"] or ()]
    except BadPrefix as error:
        return error.reason, []


def _is_count(value: str | None) -> bool:
    return value is None or (value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS)
