"""What lies inside overlap groups, each allocation with its own severity.

A member's severity is computed when somebody asks, from everything inside its group: it changes with every change
around it, and storing it would rewrite a million rows when a stray 10.0.0.0/8 appears.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps import repository_members, repository_register
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.register import Members, Register
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP
from periplus_hub.addresses.overlaps.engine.tenant_register import register_of
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, USE_BITS, USE_MASK, USES
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation, Severity
from periplus_hub.addresses.overlaps.repository_members import Chosen
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix, from_keys, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes
from periplus_hub.kit.cursors import decode_cursor
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Rows, Slice
from periplus_hub.kit.windows import Window, other_list


class GroupRange(NamedTuple):
    """A group to look into. Whoever overlaps in an accepted one is `intended`."""

    cidr: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class MembersAsk:
    """Which members. `joined` as if those clusters (empty: all) were joined, without the others; None is as it is."""

    severities: tuple[Severity, ...] = ()
    joined: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class MembersPage:
    """A page of a group's members, and how many there are."""

    page: Slice
    total: int


async def members(
    c: ReadConnection, scope: Scope, groups: Sequence[GroupRange], window: Window, asked: MembersAsk
) -> dict[GroupRange, MembersPage]:
    """A page of the allocations inside each group, parents first: four statements for all groups of an answer."""
    topology = await repository_register.topology(c, scope)
    if asked.joined:
        topology = topology.only(asked.joined)
    # Also what lies around the groups: an owner whose outermost range is further out has its pairs in another group.
    columns = await repository_register.columns_about(c, scope, [parse(group.cidr) for group in groups])
    view = await asyncio.to_thread(_View.of, topology, columns, asked)
    chosen, pages = await asyncio.to_thread(view.choose, groups, window.checked())
    found: list[list[Any]] = [[] for _ in groups]
    for row in await repository_members.chosen_rows(c, scope, chosen):
        found[row.place].append(row)
    return {
        group: MembersPage(Slice(Rows(rows), page.has_next, page.has_previous, repository_members.ORDER, 5), page.total)
        for group, rows, page in zip(groups, found, pages, strict=True)
    }


class _MemberPosition(NamedTuple):
    """The member a cursor stands for."""

    prefix: Prefix
    cluster: UUID
    use: int
    nth: int


class _Page(NamedTuple):
    """What surrounds the members of a page."""

    has_next: bool
    has_previous: bool
    total: int


@dataclass(frozen=True, slots=True)
class _View:
    """The allocations of the asked groups, compared with each other; `clusters` are in the order of their ids.

    What lies around the groups says whose outermost range is not inside.
    """

    register: Register
    clusters: Sequence[UUID]
    columns: Mapping[UUID, ClusterColumns]
    wanted: npt.NDArray[np.bool_]
    """By severity code: whether such members are asked for."""

    @classmethod
    def of(cls, topology: Topology, columns: Mapping[UUID, ClusterColumns], asked: MembersAsk) -> "_View":
        default = Relation.ISOLATED if asked.joined is None else Relation.PLANNED
        register, clusters = register_of(topology, columns, default)
        wanted = [not asked.severities or severity in asked.severities for severity in SEVERITIES]
        return cls(register, clusters, columns, np.array([*wanted, not asked.severities]))

    def choose(self, groups: Sequence[GroupRange], window: Window) -> tuple[Chosen, list[_Page]]:
        """The members of a page of each group, and what surrounds them."""
        after, before = (None if cursor is None else _position_at(cursor) for cursor in (window.after, window.before))
        chosen, pages = Chosen(), []
        for place, group in enumerate(groups):
            inside = self.register.members(parse(group.cidr))
            if group.accepted:
                overlapping = inside.severities != NO_OVERLAP
                inside.severities[overlapping] = SEVERITIES.index(Severity.INTENDED)
            rows = np.flatnonzero(self.wanted[inside.severities])
            start = 0 if after is None else self._row_of(inside, rows, after, behind=True)
            stop = len(rows) if before is None else self._row_of(inside, rows, before, behind=False)
            start, stop = window.cut(start, stop)
            pages.append(_Page(stop < len(rows), start > 0, len(rows)))
            self._add(chosen, place, inside, rows[start:stop])
        return chosen, pages

    def _row_of(self, inside: Members, rows: npt.NDArray[np.intp], position: _MemberPosition, *, behind: bool) -> int:
        """Where the member stands that a cursor stands for, or would stand were it still there; or right behind it."""
        owner = bisect_left(self.clusters, position.cluster)
        known = owner < len(self.clusters) and self.clusters[owner] == position.cluster
        # A cluster that has gone since stands where it would be sorted: before the next one's first use.
        code = owner << USE_BITS | (position.use if known else 0)
        codes, nth = inside.codes[rows], _nth(inside)[rows]
        rest = (codes > code) | (
            (codes == code) & ((nth > position.nth) if behind and known else (nth >= position.nth))
        )
        prefix = FamilyPrefixes.of_prefixes([position.prefix])
        # A comparison of tuples, from the last column to the first: whoever is equal so far is decided by what follows.
        for column, value in zip(reversed(inside.prefixes), reversed(prefix), strict=True):
            rest = (column[rows] > value[0]) | ((column[rows] == value[0]) & rest)
        return len(rows) - int(np.count_nonzero(rest))

    def _add(self, chosen: Chosen, place: int, inside: Members, rows: npt.NDArray[np.intp]) -> None:
        codes, nth, severities = inside.codes[rows], _nth(inside)[rows], inside.severities[rows]
        held = {owner: self.columns[self.clusters[owner]].holders() for owner in np.unique(codes >> USE_BITS).tolist()}
        columns = (*(column[rows] for column in inside.prefixes), codes, nth, severities)
        for high, low, length, code, number, severity in zip(*(each.tolist() for each in columns), strict=True):
            prefix, owner, use = Prefix(inside.family, high << 64 | low, length), code >> USE_BITS, code & USE_MASK
            chosen.place.append(place)
            chosen.registration_id.append(self.clusters[owner])
            chosen.kind.append(KIND_OF[USES[use]].value)
            chosen.cidr.append(str(prefix))
            chosen.node.append(held[owner].node_of(prefix, use, number))
            chosen.use.append(use)
            chosen.nth.append(number)
            chosen.severity.append(None if severity == NO_OVERLAP else SEVERITIES[severity].value)


def _nth(inside: Members) -> npt.NDArray[np.int64]:
    """Which of those that are equal but for their nodes each one is."""
    fresh = np.ones(len(inside.codes), dtype=np.bool_)
    columns = (*inside.prefixes, inside.codes)
    fresh[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    first = np.flatnonzero(fresh)
    numbers: npt.NDArray[np.int64] = np.arange(len(fresh)) - np.repeat(first, np.diff(first, append=len(fresh)))
    return numbers


def _position_at(cursor: str) -> _MemberPosition:
    match decode_cursor(cursor, repository_members.ORDER):
        case (bytes(key), int(length), UUID() as cluster, int(use), int(nth)) if key and key[0] in FAMILY_BITS:
            return _MemberPosition(from_keys(key, key)._replace(length=length), cluster, use, nth)
    raise other_list()
