"""From an ipam batch's tables to rows to store. Pure; runs in the ingest's worker thread.

Allocations arrive as a complete set and only when it changed, a few thousand rows at most: reading them row by row is
cheap next to what a wrong CIDR would cost, so each one is checked.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa

from periplus_contract.covers import SEEN
from periplus_contract.limits import MAX_EVIDENCE, MAX_EVIDENCE_LENGTH
from periplus_contract.rejections import Reason
from periplus_hub.addresses.ipam.engine.pool_account import accounted
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import IPV4, IPV6, BadPrefix, Prefix, parse
from periplus_hub.ingest.model import MAX_SAMPLE_ROWS, Rejected

ALLOCATIONS: Final = "allocations"
POOLS: Final = "pools"

_KINDS: Final = frozenset(AllocationKind) - {AllocationKind.PLANNED, AllocationKind.ENTERED}
"""What a cluster can report; plans are made in the hub."""
_COUNTS: Final = (
    *("capacity", "assigned", "used", "reserved", "cooling"),
    *("leaked", "borrowed", "unusable", "free", "largest_free_block"),
)
_NO_CLUSTERS: Final = tuple(
    map(parse, ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8"))
)
"""Loopback, link-local, multicast (RFC 6890, RFC 5771, RFC 4291): never routed, so never in anybody's way."""
_SHORTEST: Final = {IPV4: 8, IPV6: 16}
"""The widest that any one organisation was ever given, and 10.0.0.0/8: a cluster does not use more."""
_MAX_DIGITS: Final = 40
"""2^128 has 39."""

_Row = Mapping[str, Any]
_Reported = tuple[str, Prefix, _Row]
"""The kind, the range, and the row that names it."""

_TRUST: Final = {"submariner": 1, "kubeadm": 2, "nodes": 3, "observed": 4, "pods": 4, "services": 4}
"""Order of trust; a CNI's own objects come before all of these."""


@dataclass(slots=True)
class AllocationRows:
    """A cluster's complete set as columns, one row per (kind, cidr, node)."""

    kind: list[str] = field(default_factory=list)
    cidr: list[str] = field(default_factory=list)
    family: list[int] = field(default_factory=list)
    first_key: list[bytes] = field(default_factory=list)
    last_key: list[bytes] = field(default_factory=list)
    provider: list[str] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    node: list[str] = field(default_factory=list)
    quality: list[str] = field(default_factory=list)
    reach: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CoveredAllocations:
    """Rows of the kinds that a batch covers (others are passed over), by kind: all of it, or only the seen ones."""

    rows: AllocationRows
    kinds: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class IpamRows:
    """What to store."""

    allocations: AllocationRows
    pools: tuple[dict[str, Any], ...]


class _Aside:
    """Rows set aside, by table and reason, with the first few as text."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._samples: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, table: str, reason: str, rows: Sequence[Mapping[str, object]]) -> None:
        kept = self._samples[table, reason]
        kept += [str(row)[:256] for row in rows[: MAX_SAMPLE_ROWS - len(kept)]]
        self._counts[table, reason] += len(rows)

    def all(self) -> tuple[Rejected, ...]:
        return tuple(
            Rejected(table=table, reason=reason, rows=rows, sample="\n".join(self._samples[table, reason]))
            for (table, reason), rows in self._counts.items()
        )


def prepare(
    arrived: Mapping[str, pa.Table], covers: Collection[str], max_of_a_kind: int
) -> tuple[IpamRows, tuple[Rejected, ...]]:
    """Check and convert the sections that arrived; what is covered and not named is none.

    Beyond `max_of_a_kind` allocations of one kind are set aside. A kind is stated as a whole, so that is of a cluster.
    """
    aside = _Aside()
    allocations = arrived[ALLOCATIONS].to_pylist() if ALLOCATIONS in arrived else []
    pools = arrived[POOLS].to_pylist() if POOLS in arrived else []
    # Only what `covers` names is replaced in the tables. A row outside it would be added and could never be taken away
    # again, so it is set aside.
    ranges = _most_trusted(allocations, covered_kinds(covers), aside)
    rows = IpamRows(
        _columns(_bounded(ranges, max_of_a_kind, aside)), tuple(_pools(pools, covered_scopes(covers), aside))
    )
    return rows, aside.all()


def covered_kinds(covers: Collection[str]) -> dict[str, bool]:
    """Kinds of allocations that `covers` names, and whether all of each kind or only the seen ones."""
    kinds: dict[str, bool] = {}
    for cover in covers:
        section, _, kind = cover.partition("/")
        if section == ALLOCATIONS and kind.removesuffix(f"/{SEEN}") in _KINDS:
            bare = kind.removesuffix(f"/{SEEN}")
            kinds[bare] = kinds.get(bare, False) or bare == kind
    return kinds


def covered_scopes(covers: Collection[str]) -> frozenset[str]:
    """Scopes of pools that `covers` names."""
    return frozenset(cover.removeprefix(f"{POOLS}/") for cover in covers if cover.startswith(f"{POOLS}/"))


def _covers(kinds: Mapping[str, bool], row: Mapping[str, Any]) -> bool:
    return bool(kinds.get(row["kind"])) or (row["kind"] in kinds and row["quality"] == SEEN)


def trust(source: str) -> int:
    """Rank of a source, most trusted first."""
    lowered = source.lower()
    return next((rank for word, rank in _TRUST.items() if lowered.startswith(word)), 0)


def _most_trusted(rows: Sequence[_Row], covered: Mapping[str, bool], aside: _Aside) -> list[_Reported]:
    """By kind, address and node, each from its most trusted source."""
    best: dict[tuple[str, Prefix, str], _Row] = {}
    for row in rows:
        prefix = _range_of(row, covered)
        if isinstance(prefix, Reason):
            aside.add(ALLOCATIONS, prefix, [row])
            continue
        key = (row["kind"], prefix, row["node"] or "")
        known = best.get(key)
        if known is None or _distrust(row) < _distrust(known):
            best[key] = row
    return [(kind, prefix, row) for (kind, prefix, _), row in sorted(best.items(), key=itemgetter(0))]


def _distrust(row: _Row) -> tuple[bool, int]:
    """What is a claim is more than that an address is in use."""
    # One row a key: the table has one, and a claim that is taken for an address in use would be forgiven overlaps.
    return row["quality"] == SEEN, trust(row["source"])


def _range_of(row: _Row, covered: Mapping[str, bool]) -> Prefix | Reason:
    """The range a row names, or why it is set aside."""
    if row["kind"] not in _KINDS:
        return Reason.BAD_KIND
    if not _covers(covered, row):
        return Reason.NOT_COVERED
    try:
        prefix = parse(row["cidr"])
    except BadPrefix as error:
        return error.reason
    # Every node has these. As allocations they would make each cluster collide with each other one.
    if any(space.covers(prefix) for space in _NO_CLUSTERS):
        return Reason.NO_RANGE_OF_A_CLUSTER
    return Reason.TOO_WIDE if prefix.length < _SHORTEST[prefix.family] else prefix


def _bounded(ranges: Sequence[_Reported], max_of_a_kind: int, aside: _Aside) -> Iterator[_Reported]:
    """The first so many of each kind."""
    for _, of_a_kind in groupby(ranges, key=itemgetter(0)):
        every = list(of_a_kind)
        yield from every[:max_of_a_kind]
        if len(every) > max_of_a_kind:
            aside.add(ALLOCATIONS, Reason.TOO_MANY_RANGES, [row for _, _, row in every[max_of_a_kind:]])


def _columns(ranges: Iterable[_Reported]) -> AllocationRows:
    columns = AllocationRows()
    for kind, prefix, row in ranges:
        first_key, last_key = prefix.keys()
        columns.kind.append(kind)
        columns.cidr.append(str(prefix))
        columns.family.append(prefix.family)
        columns.first_key.append(first_key)
        columns.last_key.append(last_key)
        columns.provider.append(row["provider"])
        columns.source.append(row["source"])
        for name in ("name", "node", "quality", "reach"):
            getattr(columns, name).append(row[name] or "")
    return columns


def _pools(rows: Sequence[Mapping[str, Any]], covered: Collection[str], aside: _Aside) -> list[dict[str, Any]]:
    kept: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    ranges: list[list[Prefix]] = []
    for row in rows:
        reason, own = _pool_fault(row)
        if row["scope"] not in covered:
            reason = Reason.NOT_COVERED
        # The first of two is kept: adding them up, or choosing the fuller, would be a guess, and the fault is told.
        key = (row["provider"], row["name"], row["family"], row["node"] or "")
        if reason is None and key in kept:
            reason = Reason.DUPLICATE_POOL
        if reason is not None:
            aside.add(POOLS, reason, [row])
            continue
        evidence = [text[:MAX_EVIDENCE_LENGTH] for text in (row["evidence"] or ())[:MAX_EVIDENCE] if text]
        kept[key] = {**row, "node": row["node"] or "", "cidrs": list(map(str, own)), "evidence": evidence}
        ranges.append(own)
    return accounted(list(kept.values()), ranges)


def _pool_fault(row: Mapping[str, Any]) -> tuple[str | None, list[Prefix]]:
    if row["family"] not in {4, 6}:
        return Reason.BAD_FAMILY, []
    if not all(_is_count(row[name]) for name in _COUNTS):
        return Reason.BAD_COUNT, []
    try:
        return None, [parse(cidr) for cidr in row["cidrs"] or ()]
    except BadPrefix as error:
        return error.reason, []


def _is_count(value: str | None) -> bool:
    return value is None or (value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS)
