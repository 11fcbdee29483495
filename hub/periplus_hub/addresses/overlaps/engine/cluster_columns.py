"""A cluster's allocations as columns. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import Prefix

_NO_BYTES: Final = np.zeros(0, dtype=np.uint8)
_NO_WORDS: Final = np.zeros(0, dtype=np.uint64)
_ROW: Final = np.dtype([("high", "u8"), ("low", "u8"), ("family", "u1"), ("length", "u1"), ("kind", "u1")])


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """One cluster's allocations; `kind` are positions in `severity.KINDS`."""

    prefixes: PrefixColumns
    kind: npt.NDArray[np.uint8]

    def without(self, other: "ClusterColumns") -> list[tuple[Prefix, int]]:
        """The rows that the other one does not have, as values; those are few."""
        columns = self.prefixes
        rows = np.flatnonzero(~np.isin(self.packed(), other.packed()))
        halves = zip(columns.high[rows].tolist(), columns.low[rows].tolist(), strict=True)
        names = zip(columns.family[rows].tolist(), halves, columns.length[rows].tolist(), strict=True)
        prefixes = (Prefix(family, high << 64 | low, length) for family, (high, low), length in names)
        return list(zip(prefixes, self.kind[rows].tolist(), strict=True))

    def packed(self) -> npt.NDArray[np.void]:
        """Rows as values that compare as wholes."""
        columns = self.prefixes
        rows = np.empty(len(self.kind), dtype=_ROW)
        for name, column in (("high", columns.high), ("low", columns.low), ("family", columns.family)):
            rows[name] = column
        rows["length"], rows["kind"] = columns.length, self.kind
        return rows.view(f"V{_ROW.itemsize}")


NO_ALLOCATIONS: Final = ClusterColumns(PrefixColumns(_NO_BYTES, _NO_WORDS, _NO_WORDS, _NO_BYTES), _NO_BYTES)
