"""A cluster's allocations as columns. Pure."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import Prefix

_NO_BYTES: Final = np.zeros(0, dtype=np.uint8)
_NO_WORDS: Final = np.zeros(0, dtype=np.uint64)
_LOW: Final = (1 << 64) - 1
_NO_NODES: Final = np.zeros(0, dtype=np.int64)
_ROW: Final = np.dtype(
    [("high", "u8"), ("low", "u8"), ("family", "u1"), ("length", "u1"), ("use", "u1"), ("node", "i8")]
)


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """One cluster's allocations.

    `use` are positions in `uses.USES`, `node` are numbers for the nodes that hold them, 0 for none: no two rows are
    equal.
    """

    prefixes: PrefixColumns
    use: npt.NDArray[np.uint8]
    node: npt.NDArray[np.int64]

    def without(self, other: "ClusterColumns") -> list[tuple[Prefix, int]]:
        """The rows that the other one does not have, as values; those are few."""
        columns = self.prefixes
        rows = np.flatnonzero(~np.isin(self.packed(), other.packed()))
        halves = zip(columns.high[rows].tolist(), columns.low[rows].tolist(), strict=True)
        names = zip(columns.family[rows].tolist(), halves, columns.length[rows].tolist(), strict=True)
        prefixes = (Prefix(family, high << 64 | low, length) for family, (high, low), length in names)
        return list(zip(prefixes, self.use[rows].tolist(), strict=True))

    def packed(self) -> npt.NDArray[np.void]:
        """Rows as values that compare as wholes."""
        columns = self.prefixes
        # Compared as bytes: one sort of whole rows instead of a comparison for each column. The dtype has no padding,
        # whose bytes would be anybody's guess.
        rows = np.empty(len(self.use), dtype=_ROW)
        for name, column in (("high", columns.high), ("low", columns.low), ("family", columns.family)):
            rows[name] = column
        rows["length"], rows["use"], rows["node"] = columns.length, self.use, self.node
        return rows.view(f"V{_ROW.itemsize}")

    def holders(self) -> "Holders":
        """Whose rows are whose, to be looked up many times."""
        columns = self.prefixes
        order = np.lexsort((self.node, self.use, columns.length, columns.low, columns.high, columns.family))
        return Holders(columns.take(order), self.use[order], self.node[order])


class Holders(NamedTuple):
    """Rows of a cluster by prefix, use and node."""

    prefixes: PrefixColumns
    use: npt.NDArray[np.uint8]
    node: npt.NDArray[np.int64]

    def node_of(self, prefix: Prefix, use: int, nth: int) -> int:
        """The node of the nth row, counted from 0, of those with this prefix and use."""
        columns, high, low = self.prefixes, prefix.value >> 64, prefix.value & _LOW
        # Two searches that halve, then a comparison of the rows that share the upper half: for IPv4 those that begin
        # at this address, for IPv6 those of this /64.
        start, stop = np.searchsorted(columns.family, [prefix.family, prefix.family + 1])
        of_family = columns.high[start:stop]
        near = slice(
            int(start + np.searchsorted(of_family, np.uint64(high))),
            int(start + np.searchsorted(of_family, np.uint64(high), side="right")),
        )
        same = (columns.low[near] == np.uint64(low)) & (columns.length[near] == prefix.length) & (self.use[near] == use)
        return int(self.node[near][same][nth])


NO_ALLOCATIONS: Final = ClusterColumns(PrefixColumns(_NO_BYTES, _NO_WORDS, _NO_WORDS, _NO_BYTES), _NO_BYTES, _NO_NODES)
