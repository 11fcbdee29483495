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
from periplus_hub.addresses import repository_members, repository_register
from periplus_hub.addresses.fold import ClusterColumns, Topology, register_of
from periplus_hub.addresses.keys import KeyColumns
from periplus_hub.addresses.model import SEVERITIES, Relation, Severity
from periplus_hub.addresses.prefixes import FAMILY_BITS, Prefix, from_keys, parse
from periplus_hub.addresses.register import Members, Register
from periplus_hub.addresses.repository_members import Chosen
from periplus_hub.addresses.severity import KIND_BITS, KIND_MASK, KINDS, NONE
from periplus_hub.kit.cursors import decode_cursor
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.keyset import Rows, Slice


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


async def members(  # noqa: PLR0917 - the shape of every loader's function: connection, scope, keys, arguments
    c: ReadConnection, scope: Scope, groups: Sequence[GroupRange], first: int, after: str | None, asked: MembersAsk
) -> dict[GroupRange, MembersPage]:
    """A page of the allocations inside each group, parents first: four statements for all groups of an answer."""
    topology = await repository_register.topology(c, scope)
    if asked.joined:
        topology = topology.only(asked.joined)
    ranges = [parse(group.cidr).keys() for group in groups]
    columns = await repository_register.columns_inside(c, scope, ranges)
    view = await asyncio.to_thread(_View.of, topology, columns, asked)
    chosen, totals = await asyncio.to_thread(view.choose, groups, first, after)
    found: list[list[Any]] = [[] for _ in groups]
    for row in await repository_members.chosen_rows(c, scope, chosen):
        found[row.place].append(row)
    return {
        group: MembersPage(Slice(Rows(rows[:first]), len(rows) > first, repository_members.ORDER, 4), total)
        for group, rows, total in zip(groups, found, totals, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _View:
    """The allocations of the asked groups, compared with each other; `clusters` are in the order of their ids."""

    register: Register
    clusters: Sequence[UUID]
    wanted: npt.NDArray[np.bool_]
    """By severity code: whether such members are asked for."""

    @classmethod
    def of(cls, topology: Topology, columns: Mapping[UUID, ClusterColumns], asked: MembersAsk) -> "_View":
        default = Relation.ISOLATED if asked.joined is None else Relation.JOIN_REQUESTED
        register, clusters = register_of(topology, columns, default)
        wanted = [not asked.severities or severity in asked.severities for severity in SEVERITIES]
        return cls(register, clusters, np.array([*wanted, not asked.severities]))

    def choose(self, groups: Sequence[GroupRange], first: int, after: str | None) -> tuple[Chosen, list[int]]:
        """One member more than a page of each group needs, and how many each group has."""
        chosen, totals = Chosen(), []
        for place, group in enumerate(groups):
            root = parse(group.cidr)
            inside = self.register.members(root)
            if group.accepted:
                overlapping = inside.severities != NONE
                inside.severities[overlapping] = SEVERITIES.index(Severity.INTENDED)
            rows = np.flatnonzero(self.wanted[inside.severities])
            totals.append(len(rows))
            if after is not None:
                rows = rows[self._behind(inside, rows, after)]
            self._add(chosen, place, inside, rows[: first + 1])
        return chosen, totals

    def _behind(self, inside: Members, rows: npt.NDArray[np.intp], after: str) -> npt.NDArray[np.bool_]:
        """Which of the rows come after the member the cursor stands for, whether it is still there or not."""
        prefix, cluster, kind = _mark(after)
        mark = KeyColumns.of_prefixes([prefix])
        owner = bisect_left(self.clusters, cluster)
        known = owner < len(self.clusters) and self.clusters[owner] == cluster
        code = owner << KIND_BITS | kind if known else (owner << KIND_BITS) - 1
        behind = inside.codes[rows] > code
        for column, value in zip(reversed(inside.prefixes), reversed(mark), strict=True):
            behind = (column[rows] > value[0]) | ((column[rows] == value[0]) & behind)
        return behind

    def _add(self, chosen: Chosen, place: int, inside: Members, rows: npt.NDArray[np.intp]) -> None:
        family, prefixes = inside.family, inside.prefixes
        for high, low, length in zip(*(column[rows].tolist() for column in prefixes), strict=True):
            chosen.cidr.append(str(Prefix(family, high << 64 | low, length)))
        for code, severity in zip(inside.codes[rows].tolist(), inside.severities[rows].tolist(), strict=True):
            chosen.place.append(place)
            chosen.registration_id.append(self.clusters[code >> KIND_BITS])
            chosen.kind.append(KINDS[code & KIND_MASK].value)
            chosen.severity.append(None if severity == NONE else SEVERITIES[severity].value)


def _mark(after: str) -> tuple[Prefix, UUID, int]:
    """The member a cursor stands for: its range, cluster and kind."""
    match decode_cursor(after, repository_members.ORDER):
        case (bytes(first_key), int(length), UUID() as cluster, int(kind)) if first_key and first_key[0] in FAMILY_BITS:
            return from_keys(first_key, first_key)._replace(length=length), cluster, kind
    raise Invalid("the cursor belongs to another list", "Pass the endCursor of an earlier page, unchanged.")
