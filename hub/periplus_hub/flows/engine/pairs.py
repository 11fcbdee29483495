"""What two clusters report of each other where neither knows the other's end.

One sees a node or a service that it dialled, the other a node that connections came from: masquerading hides the
client, and address translation the server.

Where all such rows of two clusters and a protocol can only mean one server, or one client, the report of each is
completed from the other's, and they are merged like any two. Where there are several, the client's report counts in
every window that it has, and the server's in the others: what is the same cannot be told, and must not count twice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.merge import CLIENT, SERVER, numbered, numbers, plain
from periplus_hub.flows.engine.owners import NOBODY

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

RULE: Final = "paired"
_VAGUE: Final = pa.array(["Node", "Service"])
_PARTS: Final = ("namespace", "kind", "workload")
_ENDS: Final = ("src", "dst")


@dataclass(frozen=True, slots=True)
class _Side:
    """Rows that know only their own end."""

    mine: Flags
    who: Ints
    """A number for each end that such rows know, and of the server its port."""

    def only_one(self, pair: Ints, pairs: int) -> Flags:
        """For each pair of clusters, whether all its rows of this side know one end."""
        least, most = np.full(pairs, np.iinfo(np.int64).max), np.full(pairs, -1)
        np.minimum.at(least, pair[self.mine], self.who[self.mine])
        np.maximum.at(most, pair[self.mine], self.who[self.mine])
        only: Flags = least == most
        return only

    def example(self, pair: Ints, pairs: int) -> Ints:
        """For each pair of clusters, a row of this side; -1 without one."""
        found = np.full(pairs, -1, dtype=np.int64)
        found[pair[self.mine]] = np.flatnonzero(self.mine)
        return found


def paired(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Rows as `repository_rollup.windows` finds them, in the same order, completed from each other."""
    if not rows.num_rows:
        return rows
    columns = {name: plain(rows.column(name).combine_chunks()) for name in rows.column_names}
    clients, servers = _sides(columns, key)
    if not (clients.mine.any() and servers.mine.any()):
        return rows
    pair, pairs = _pairs(columns)
    has_both = (clients.example(pair, pairs) >= 0) & (servers.example(pair, pairs) >= 0)
    one_server, one_client = (side.only_one(pair, pairs) & has_both for side in (servers, clients))
    _complete(columns, "dst", clients.mine & one_server[pair], servers.example(pair, pairs)[pair])
    _complete(columns, "src", servers.mine & one_client[pair], clients.example(pair, pairs)[pair])
    doubled = has_both & ~(one_server & one_client)
    twice = servers.mine & doubled[pair] & np.isin(_at(columns, pair), _at(columns, pair)[clients.mine])
    order = [(name, "ascending") for name in (*key, "window", "window_s", "reporter")]
    return pa.table(columns).filter(pa.array(~twice)).sort_by(order)


def _sides(columns: dict[str, pa.Array], key: tuple[str, ...]) -> tuple[_Side, _Side]:
    reporter = numbers(columns["reporter"])
    edge = numbered([columns[name] for name in key])
    told = [np.bincount(edge, reporter == side).astype(bool)[edge] for side in (CLIENT, SERVER)]
    vague = {side: np.asarray(pc.is_in(columns[f"{side}_kind"], _VAGUE)) for side in _ENDS}
    across = np.asarray(pc.not_equal(columns["src_registration"], columns["dst_registration"]))
    for side in _ENDS:
        across &= np.asarray(pc.not_equal(columns[f"{side}_registration"], pa.scalar(NOBODY.bytes, pa.binary(16))))
    port = columns["dst_port"].cast(pa.string())
    client = _Side(across & ~told[1] & vague["dst"] & ~vague["src"], _codes(columns, "src"))
    server = _Side(across & ~told[0] & vague["src"] & ~vague["dst"], _codes(columns, "dst", port))
    return client, server


def _codes(columns: dict[str, pa.Array], side: str, *more: pa.Array) -> Ints:
    names = [columns[f"{side}_{part}"].cast(pa.string()) for part in _PARTS]
    return numbers(pc.binary_join_element_wise(*names, *more, "\x1f").dictionary_encode().indices)


def _pairs(columns: dict[str, pa.Array]) -> tuple[Ints, int]:
    """For each row the number of its two clusters and protocol, and how many such numbers there are."""
    source, target = (numbers(columns[f"{side}_registration"].dictionary_encode().indices) for side in _ENDS)
    whole = (source * (int(target.max()) + 1) + target) * 256 + numbers(columns["protocol"])
    found, pair = np.unique(whole, return_inverse=True)
    return pair.astype(np.int64), len(found)


def _complete(columns: dict[str, pa.Array], side: str, which: Flags, example: Ints) -> None:
    """Give these rows the end that an example has."""
    taken = pa.array(np.where(which, example, np.arange(len(which))))
    for name in (*(f"{side}_{part}" for part in _PARTS), *(("dst_port",) if side == "dst" else ())):
        columns[name] = columns[name].take(taken)
    columns[f"{side}_rule"] = pc.if_else(pa.array(which), RULE, columns[f"{side}_rule"].cast(pa.string()))


def _at(columns: dict[str, pa.Array], pair: Ints) -> Ints:
    """One number for the pair and the window."""
    at: Ints = pair * 2**33 + numbers(columns["window"])
    return at
