"""One connection may stand in several conntrack zones, as on nodes of OVN-Kubernetes: it counts in one of them."""

from collections.abc import Iterable
from enum import Enum
from itertools import repeat
from typing import Final

from periplus_spoke.conversion.conntrack.messages import Entries

_TUPLE: Final = ("src_high", "src_low", "src_port", "dst_high", "dst_low", "dst_port", "protocol")


class Way(Enum):
    """How an entry is to be taken."""

    COUNT = "count"
    LEARN = "learn"
    """Its counters are noted, and nothing is counted: whether it stands in a lower zone too is not known yet."""
    LEAVE_OUT = "leave-out"
    """It counts in another zone."""


class Zones:
    """Which zone counts, by what the client's packets say: the lowest of those in which it was first seen.

    Most nodes use zone 0 alone. Nothing is kept before another one is seen, and the whole of the dump in which that
    happens only teaches who is where.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] | None = None
        self._is_learning = True

    def ways(self, entries: Entries, dump: int) -> Iterable[Way]:
        """One for each entry."""
        zones = entries.column("zone")
        if self._known is None:
            if not any(zones):
                return repeat(Way.COUNT, len(entries))
            self._known = {}
        tuples = map(hash, entries.rows(*_TUPLE))
        return [self._way(of, zone, dump) for of, zone in zip(tuples, zones, strict=True)]

    def _way(self, of: int, zone: int, dump: int) -> Way:
        known = self._known if self._known is not None else {}
        counts, _ = known.get(of, (zone, dump))
        if self._is_learning and zone < counts:
            counts = zone
        if zone == counts:
            known[of] = (zone, dump)
        if zone != counts:
            return Way.LEAVE_OUT
        return Way.LEARN if self._is_learning and zone else Way.COUNT

    def end_dump(self, dump: int) -> None:
        """A whole dump is over: connections that are gone are forgotten."""
        if self._known is not None:
            self._is_learning = False
            self._known = {of: seen for of, seen in self._known.items() if seen[1] >= dump - 1}
