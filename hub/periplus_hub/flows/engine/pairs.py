"""What two clusters report of each other where neither knows the other's end.

One sees a node or a service that it dialled, the other a node that connections came from: masquerading hides the
client, and address translation the server.

Where all such rows of two clusters and a protocol can only mean one server, or one client, the report of each is
completed from the other's, and they are merged like any two. Where there are several, the client's report counts in
every window that it has, and the server's in the others: what is the same cannot be told, and must not count twice.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from periplus_hub.flows.engine.columns import Flags, Ints, changes, halves, numbers, two_words
from periplus_hub.flows.engine.localities import UNKNOWN_LOCALITY
from periplus_hub.flows.engine.merge import CLIENT, ORDER, SERVER
from periplus_hub.flows.engine.numbered_ends import NO_PLACE, PAIRED_RULE, NumberedEnds

_PORT_BITS: Final = 16
"""Below the port in `how`: protocol and verdict."""


@dataclass(frozen=True, slots=True)
class _Side:
    """Rows that know only their own end."""

    mine: Flags
    who: Ints
    """A number for the end that such a row knows, and of the server its port."""
    locality: Ints
    """Where that end was."""

    def only_one(self, pair: Ints, pairs: int) -> Flags:
        """For each pair of clusters, whether all its rows of this side know one end."""
        return self._is_one(self.who, pair, pairs)

    def locality_of(self, pair: Ints, pairs: int) -> Ints:
        """For each pair of clusters where that end was; not known where it was in several places."""
        found = np.append(self.locality, UNKNOWN_LOCALITY)[self.example(pair, pairs)]
        return np.where(self._is_one(self.locality, pair, pairs), found, UNKNOWN_LOCALITY)

    def _is_one(self, values: Ints, pair: Ints, pairs: int) -> Flags:
        least, most = np.full(pairs, np.iinfo(np.int64).max), np.full(pairs, -1)
        np.minimum.at(least, pair[self.mine], values[self.mine])
        np.maximum.at(most, pair[self.mine], values[self.mine])
        only: Flags = least == most
        return only

    def example(self, pair: Ints, pairs: int) -> Ints:
        """For each pair of clusters, a row of this side; -1 without one."""
        found = np.full(pairs, -1, dtype=np.int64)
        found[pair[self.mine]] = np.flatnonzero(self.mine)
        return found


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a part of an hour, as numbers."""

    src: Ints
    dst: Ints
    src_locality: Ints
    dst_locality: Ints
    how: Ints
    window: Ints
    reporter: Ints
    edge: Ints

    @property
    def port(self) -> Ints:
        """Of the destination."""
        return self.how >> _PORT_BITS

    @property
    def carried(self) -> Ints:
        """Protocol and verdict."""
        return self.how & ((1 << _PORT_BITS) - 1)


def paired(rows: pa.Table, ends: NumberedEnds) -> pa.Table:
    """Rows as `repository_rollup.windows` finds them, in the same order, completed from each other."""
    found = _read(rows)
    clients, servers = _sides(found, ends)
    if not (clients.mine.any() and servers.mine.any()):
        return rows
    pair, pairs = _pairs(found, ends)
    itself = np.arange(len(pair))
    has_both = (clients.example(pair, pairs) >= 0) & (servers.example(pair, pairs) >= 0)
    one_server, one_client = (side.only_one(pair, pairs) & has_both for side in (servers, clients))
    at_server = np.where(clients.mine & one_server[pair], servers.example(pair, pairs)[pair], itself)
    at_client = np.where(servers.mine & one_client[pair], clients.example(pair, pairs)[pair], itself)
    doubled = has_both & ~(one_server & one_client)
    at = pair * 2**33 + found.window
    twice = servers.mine & doubled[pair] & np.isin(at, at[clients.mine])
    completed = _completed(rows, found, (at_client, at_server), ends.rule_number(PAIRED_RULE))
    src_locality = np.where(at_client == itself, found.src_locality, clients.locality_of(pair, pairs)[pair])
    dst_locality = np.where(at_server == itself, found.dst_locality, servers.locality_of(pair, pairs)[pair])
    completed["localities"] = two_words(src_locality, dst_locality)
    order = np.lexsort([completed[name] for name in reversed(ORDER)])
    kept = order[~twice[order]]
    return pa.table({name: column[kept] for name, column in completed.items()})


def _completed(rows: pa.Table, found: _Rows, at: tuple[Ints, Ints], rule: int) -> dict[str, npt.NDArray[Any]]:
    """The columns, each row with the source and the destination that the rows `at` have."""
    itself = np.arange(len(found.src))
    src, dst = found.src[at[0]], found.dst[at[1]]
    how = (found.port[at[1]] << _PORT_BITS) | found.carried
    columns = {name: np.asarray(rows.column(name).to_numpy()) for name in rows.column_names}
    columns["ends"] = two_words(src, dst)
    columns["how"] = how.astype(np.uint32)
    for name, taken in zip(("src_rule", "dst_rule"), at, strict=True):
        columns[name] = np.where(taken == itself, columns[name], np.uint8(rule))
    return columns


def _read(rows: pa.Table) -> _Rows:
    how = numbers(rows.column("how"))
    src, dst = halves(rows.column("ends"))
    src_locality, dst_locality = halves(rows.column("localities"))
    return _Rows(
        src=src,
        dst=dst,
        src_locality=src_locality,
        dst_locality=dst_locality,
        how=how,
        window=numbers(rows.column("window")),
        reporter=numbers(rows.column("reporter")),
        edge=np.cumsum(changes(src, dst, how)) - 1,
    )


def _sides(rows: _Rows, ends: NumberedEnds) -> tuple[_Side, _Side]:
    told = [np.bincount(rows.edge, rows.reporter == side).astype(bool)[rows.edge] for side in (CLIENT, SERVER)]
    src_vague, dst_vague = ends.is_vague[rows.src], ends.is_vague[rows.dst]
    source, target = ends.place[rows.src], ends.place[rows.dst]
    across = (source != target) & (source != NO_PLACE) & (target != NO_PLACE)
    client = _Side(across & ~told[1] & dst_vague & ~src_vague, rows.src, rows.src_locality)
    whom = rows.dst << _PORT_BITS | rows.port
    server = _Side(across & ~told[0] & src_vague & ~dst_vague, whom, rows.dst_locality)
    return client, server


def _pairs(rows: _Rows, ends: NumberedEnds) -> tuple[Ints, int]:
    """For each row the number of its two clusters and protocol, and how many such numbers there are."""
    places = int(ends.place.max()) + 1
    protocol = rows.carried >> 8
    whole = (ends.place[rows.src] * places + ends.place[rows.dst]) * 256 + protocol
    found, pair = np.unique(whole, return_inverse=True)
    return pair.astype(np.int64), len(found)
