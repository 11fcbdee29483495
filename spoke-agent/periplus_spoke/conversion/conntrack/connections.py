"""What connections did since they were last read: deltas of counters, connections that came and that went.

A table of all connections outlives each reading, so it is one dictionary from a hash to a number, and arrays. A
connection is told from others by its id, its zone and what its client's packets say; that it is another one all the
same shows by when it began, or by counters that went backwards.
"""

from array import array
from collections import Counter
from typing import Final, Protocol

from periplus_contract import flow_words
from periplus_spoke.conversion.conntrack.messages import Entries
from periplus_spoke.conversion.conntrack.zones import Way, Zones

FlowKey = tuple[int, ...]
"""src_high, src_low, end_high, end_low, end_port, protocol, family, is_counted."""
Deltas = tuple[int, ...]
"""bytes_tx, bytes_rx, packets_tx, packets_rx."""
NONE: Final[Deltas] = (0, 0, 0, 0)
_SEEN_REPLY: Final = 0x2
_ASSURED: Final = 0x4
_DYING: Final = 0x200
_TCP: Final = 6
_CLOSED: Final = 8
_IDENTITY: Final = ("id", "zone", "src_high", "src_low", "src_port", "dst_high", "dst_low", "dst_port", "protocol")
_KEY: Final = ("src_high", "src_low", "end_high", "end_low", "end_port", "protocol", "family", "is_counted")
_ABOUT: Final = ("is_destroyed", "is_counted", "status", "started_ns", "tcp_state")
_COUNTERS: Final = ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx")


class Sums(Protocol):
    """Takes what happened, by flow."""

    def passed(self, key: FlowKey, deltas: Deltas) -> None:
        """So much more, or nothing: then only that there is such a connection."""

    def opened(self, key: FlowKey) -> None:
        """A connection began."""

    def closed(self, key: FlowKey, failure: str) -> None:
        """A connection ended; `failure` is refused or timeout where it never came about."""


class Connections:
    """All connections of one node.

    Events are given in the order in which the kernel tells them, and those that it tells during a dump after the dump.
    """

    def __init__(self, most: int) -> None:
        """`most` connections are remembered; further ones count as not measured."""
        self._most = most
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._counters = tuple(array("Q") for _ in _COUNTERS)
        self._started, self._dump_of, self._window_of = array("Q"), array("L"), array("L")
        self._zones = Zones()
        self._dump = 1
        self._window = 1
        self._since_ns: int | None = None
        self._is_whole = False
        self.observed = self.unmeasured = 0
        self.lost: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._slots)

    def next_window(self) -> None:
        """Count afresh what a window says of its completeness."""
        self._window += 1
        self.observed = self.unmeasured = 0
        self.lost = Counter()

    def read(self, entries: Entries, sums: Sums) -> None:
        """Part of a dump, or events: in both cases counters are the newest there are."""
        rows = zip(
            map(hash, entries.rows(*_IDENTITY)),
            self._zones.ways(entries, self._dump),
            entries.rows(*_COUNTERS),
            entries.rows(*_ABOUT),
            entries.rows(*_KEY),
            strict=True,
        )
        slots, (bytes_tx, bytes_rx, _, _) = self._slots, self._counters
        dump_of, dump, window_of, window = self._dump_of, self._dump, self._window_of, self._window
        for key, way, counters, about, flow in rows:
            slot = slots.get(key)
            if slot is not None and way is Way.COUNT and about[1] and not about[0] and window_of[slot] == window:
                dump_of[slot] = dump
                if bytes_tx[slot] == counters[0] and bytes_rx[slot] == counters[1]:
                    continue  # nothing passed: as of most connections of a busy node
            if way is not Way.LEAVE_OUT:
                self._entry(key, (counters, about, flow), sums, may_count=way is Way.COUNT)
            elif slot is not None:
                self._forget(key)

    def _entry(self, key: int, entry: tuple[Deltas, tuple[int, ...], FlowKey], sums: Sums, *, may_count: bool) -> None:
        counters, (is_destroyed, is_counted, status, started_ns, tcp_state), flow = entry
        if status & _DYING and not is_destroyed:
            return  # its last counts come with the event
        slot = self._slots.get(key)
        is_new = may_count and self._is_new(slot, started_ns)
        passed = NONE
        if is_new:
            sums.opened(flow)
            passed = counters
        if slot is not None:
            self._mark(slot, is_counted)
            passed = self._delta(slot, counters, started_ns)
        elif is_destroyed or len(self._slots) >= self._most:
            self.observed += 1
            self.unmeasured += not (is_counted and is_new)
        else:
            self._remember(key, counters, started_ns, is_counted)
        if not is_counted or any(passed):
            sums.passed(flow, passed if is_counted else NONE)
        if is_destroyed:
            sums.closed(flow, _failure(flow, status, tcp_state))
            if slot is not None:
                self._forget(key)

    def _is_new(self, slot: int | None, started_ns: int) -> bool:
        """Whether it began since everything was last read."""
        if slot is not None:
            return started_ns != self._started[slot]
        if self._since_ns is None:
            return False
        return started_ns >= self._since_ns if started_ns else self._is_whole

    def _remember(self, key: int, counters: Deltas, started_ns: int, is_counted: int) -> None:
        slot = self._slots[key] = self._new_slot()
        for column, value in zip(self._counters, counters, strict=True):
            column[slot] = value
        self._started[slot] = started_ns
        self._mark(slot, is_counted)

    def _mark(self, slot: int, is_counted: int) -> None:
        self._dump_of[slot] = self._dump
        if self._window_of[slot] != self._window:
            self._window_of[slot] = self._window
            self.observed += 1
            self.unmeasured += not is_counted

    def _delta(self, slot: int, counters: Deltas, started_ns: int) -> Deltas:
        before = tuple(column[slot] for column in self._counters)
        for column, value in zip(self._counters, counters, strict=True):
            column[slot] = value
        is_another = started_ns != self._started[slot]
        self._started[slot] = started_ns
        if not is_another and all(map(int.__ge__, counters, before)):
            return tuple(map(int.__sub__, counters, before))
        self.lost[flow_words.LOST_RESET] += 1
        if is_another or all(map(int.__le__, counters, before)):
            return counters
        return tuple(max(now - was, 0) for now, was in zip(counters, before, strict=True))

    def _new_slot(self) -> int:
        if self._free:
            return self._free.pop()
        for column in (*self._counters, self._started, self._dump_of, self._window_of):
            column.append(0)
        return len(self._started) - 1

    def _forget(self, key: int) -> None:
        slot = self._slots.pop(key)
        self._window_of[slot] = 0
        self._free.append(slot)

    def end_dump(self, began_ns: int, *, is_whole: bool) -> None:
        """Everything was read that there was when the dump began; or not, if it broke off.

        What two whole dumps in a row do not have, and no event told of, was evicted or its event lost.
        """
        self._is_whole = is_whole
        if not is_whole:
            self.lost[flow_words.LOST_UNREAD] += 1
            return
        self._since_ns = began_ns
        oldest, dump_of = self._dump - 1, self._dump_of
        gone = [key for key, slot in self._slots.items() if dump_of[slot] < oldest]
        for key in gone:
            self._forget(key)
        self.lost[flow_words.LOST_EVICTED] += len(gone)
        self._zones.end_dump(self._dump)
        self._dump += 1

    def missed(self, *, overruns: int, unreadable: int) -> None:
        """The kernel had more events than room for them, or said what cannot be read."""
        self.lost[flow_words.LOST_OVERRUN] += overruns
        self.lost[flow_words.LOST_UNREADABLE] += unreadable

    def failed(self) -> None:
        """A reading failed, so the next one says nothing of what happened since the one before."""
        self.end_dump(0, is_whole=False)


def _failure(flow: FlowKey, status: int, tcp_state: int) -> str:
    """How a connection of TCP failed to come about; empty for one that did, and for other protocols.

    A refusal ends a connection before the kernel counts its packet as a reply.
    """
    if flow[5] != _TCP or status & _ASSURED:
        return ""
    if tcp_state == _CLOSED:
        return "refused"
    return "" if status & _SEEN_REPLY else "timeout"
