"""What each cluster has in an overlap group: how many allocations, its worst severity, and what for. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.pair_counts import Codes, PairCounts
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP, worst_codes
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS, USE_MASK

_SEVERITY_BITS: Final = 3
_LOW_BITS: Final = USE_BITS + _SEVERITY_BITS
_OWNER_BITS: Final = 28


@dataclass(frozen=True, slots=True)
class Shares:
    """One row per group and cluster that overlaps another there, sorted by both.

    `severity` is the worst of its allocations, `uses` those of the ones that are as bad: bit i stands for
    `uses.USES[i]`. A cluster that only lives in a network that people entered has no row.
    """

    group: npt.NDArray[np.int64]
    """The group's place among those asked for."""
    owner: npt.NDArray[np.int64]
    severity: npt.NDArray[np.int64]
    uses: npt.NDArray[np.int64]
    members: npt.NDArray[np.int64]

    def renumbered(self, names: Sequence[int]) -> "Shares":
        """With other numbers for the groups."""
        group = np.asarray(names, dtype=np.int64)[self.group]
        order = np.argsort(group, kind="stable")
        return Shares(group[order], *(each[order] for each in (self.owner, self.severity, self.uses, self.members)))


def shares_of(codes: Codes, pair_counts: PairCounts, sizes: npt.NDArray[np.int64]) -> Shares:
    """From the entries of groups, one group after the other, `sizes` many each."""
    severities = worst_codes(pair_counts).astype(np.int64)
    kept = codes.astype(np.int64)
    # Group, owner, severity and kind of an entry in one number. Sorted, each cluster of a group is one run, and begins
    # with its worst entries.
    groups = np.repeat(np.arange(len(sizes)), sizes) << (_OWNER_BITS + _LOW_BITS)
    keys = groups | kept >> USE_BITS << _LOW_BITS | severities << USE_BITS | kept & USE_MASK
    keys.sort()
    # Severity above use in the number: the first entry of a cluster's run is its worst, whatever it is used for.
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    count, keys = np.diff(first, append=len(keys)), keys[first]
    heads = np.flatnonzero(np.diff(keys >> _LOW_BITS, prepend=-1))
    severity = _severity(keys)
    worst = severity[heads]
    as_bad = severity == np.repeat(worst, np.diff(heads, append=len(keys)))
    bits = np.where(as_bad, np.int64(1) << (keys & USE_MASK), 0)
    some = len(heads) > 0
    columns = (
        keys[heads] >> (_OWNER_BITS + _LOW_BITS),
        keys[heads] >> _LOW_BITS & (1 << _OWNER_BITS) - 1,
        worst,
        np.bitwise_or.reduceat(bits, heads) if some else heads,
        np.add.reduceat(count, heads) if some else heads,
    )
    overlapping = worst != NO_OVERLAP
    return Shares(*(column[overlapping] for column in columns))


def _severity(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return keys >> USE_BITS & (1 << _SEVERITY_BITS) - 1
