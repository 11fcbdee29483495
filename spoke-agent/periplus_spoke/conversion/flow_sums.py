"""What passed in one window, by flow, within a budget of rows: the tail is one row whose sums are exact."""

import heapq
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from periplus_contract import flow_words
from periplus_contract.flow_words import Verdict
from periplus_contract.limits import MAX_MEASURE
from periplus_contract.tables import FLOWS, PEERS
from periplus_spoke.conversion.records import SectionRows, Values, cells


class Peer(NamedTuple):
    """One end: an address as two halves of 128 bits, without sign; '' is known only by that.

    `cluster` is told of an end in another cluster, and `host` of one that was asked for by a name, as
    `periplus_contract.tables.PEERS` says.
    """

    high: int
    low: int
    namespace: str = ""
    kind: str = ""
    workload: str = ""
    cluster: str = ""
    host: str = ""


class Flow(NamedTuple):
    """What tells one row of a window from another, and stays when windows are folded."""

    src: Peer
    dst: Peer
    dst_port: int
    protocol: int
    collector: int
    reporter: int
    verdict: int = Verdict.FORWARDED
    sampling: int = 1
    policy: str = ""
    drop_reason: str = ""


OTHER: Final = Peer(0, 0, kind=flow_words.OTHER)
MEASURES: Final = tuple(column.name for column in FLOWS.columns if column.nullable)
Known = tuple[bool, ...]
"""Which of `MEASURES` a row has; the others are not known."""
MOST_HOSTS: Final = 1_000
"""Of one window: labels are what strangers write."""
_SIGN: Final = 1 << 63


class WindowSums:
    """Rows of one window. What is known and what is not are different rows, so that neither blurs the other."""

    def __init__(self, budget: int) -> None:
        """At most `budget` rows leave it, and those of the tail; twice as many are ever held."""
        self._budget = budget
        self._rows: dict[tuple[Flow, Known], list[int]] = {}
        self._tail: dict[tuple[Flow, Known], list[int]] = {}
        self._hosts: set[str] = set()
        self.other_rows = 0
        """How many rows went into the tail."""
        self.other_hosts = 0
        """How often a host was left out, because the window had too many."""

    def add(self, flow: Flow, measures: Sequence[int | None]) -> None:
        """Measures in the order of `MEASURES`; None for one that is not known."""
        if flow.dst.host and not self._has_room_for(flow.dst.host):
            flow = flow._replace(dst=flow.dst._replace(host=""))
            self.other_hosts += 1
        key = flow, tuple(value is not None for value in measures)
        row = self._rows.get(key)
        if row is not None:
            _add(row, measures)
            return
        if len(self._rows) >= 2 * self._budget:
            self._cut()
        self._rows[key] = [value or 0 for value in measures]

    def _has_room_for(self, host: str) -> bool:
        if host not in self._hosts and len(self._hosts) < MOST_HOSTS:
            self._hosts.add(host)
        return host in self._hosts

    def _cut(self) -> None:
        """Keep the rows with the most bytes; where none has any, those with the most connections, also failed ones."""
        if len(self._rows) <= self._budget:
            return
        kept = dict(heapq.nlargest(self._budget, self._rows.items(), key=lambda each: _weight(each[1])))
        for key, row in self._rows.items():
            if key not in kept:
                flow, known = key
                other = _other(flow), known
                _add(self._tail.setdefault(other, [0] * len(MEASURES)), row)
                self.other_rows += 1
        self._rows = kept

    def sections(self, window_start_s: int, window_s: int) -> tuple[SectionRows, SectionRows]:
        """The window's rows as `peers` and `flows`, in the order of their ends."""
        self._cut()
        rows = sorted([*self._rows.items(), *self._tail.items()])
        numbers = {
            peer: number for number, peer in enumerate(sorted({end for (flow, _), _ in rows for end in flow[:2]}))
        }
        flows = [flow for (flow, _), _ in rows]
        columns: dict[str, Values] = {
            "src": array("q", (numbers[flow.src] for flow in flows)),
            "dst": array("q", (numbers[flow.dst] for flow in flows)),
            "window_start": array("q", [window_start_s]) * len(rows),
            "window_s": array("q", [window_s]) * len(rows),
            **{name: array("q", (getattr(flow, name) for flow in flows)) for name in _NUMBERS},
            **{name: [getattr(flow, name) for flow in flows] for name in ("policy", "drop_reason")},
        }
        for index, name in enumerate(MEASURES):
            if any(known[index] for (_, known), _ in rows):
                columns[name] = _measure([(row[index], known[index]) for (_, known), row in rows])
        return _peers(list(numbers)), SectionRows(table=FLOWS, columns=columns, rows=len(rows))


def rows_of(sections: Iterable[SectionRows]) -> Iterator[tuple[Flow, tuple[int | None, ...]]]:
    """The rows of a batch, as they may be added to a window."""
    by_name = {section.table.name: section for section in sections}
    peers = [
        Peer(_unsigned(high), _unsigned(low), *(text or "" for text in texts))
        for high, low, *texts in _read(by_name[PEERS.name], PEERS.column_names)
    ]
    flows = by_name[FLOWS.name]
    measures = _read(flows, MEASURES)
    for (src, dst, *rest), row in zip(_read(flows, Flow._fields), measures, strict=True):
        yield Flow(peers[src], peers[dst], *rest), row


_NUMBERS: Final = ("dst_port", "protocol", "collector", "reporter", "verdict", "sampling")


def _other(flow: Flow) -> Flow:
    """The tail is told apart by what sums must not be mixed of."""
    return flow._replace(src=OTHER, dst=OTHER, dst_port=0, policy="", drop_reason="")


def _add(row: list[int], measures: Iterable[int | None]) -> None:
    for index, value in enumerate(measures):
        if value:
            row[index] += value


def _weight(row: Sequence[int]) -> tuple[int, int]:
    return row[0] + row[1], row[4] + sum(row[6:9])


def _measure(values: Sequence[tuple[int, bool]]) -> Values:
    if all(known for _, known in values):
        return array("q", (min(value, MAX_MEASURE) for value, _ in values))
    return [min(value, MAX_MEASURE) if known else None for value, known in values]


def _peers(peers: Sequence[Peer]) -> SectionRows:
    columns: dict[str, Values] = {
        "address_high": array("q", (_signed(peer.high) for peer in peers)),
        "address_low": array("q", (_signed(peer.low) for peer in peers)),
        "namespace": [peer.namespace for peer in peers],
        "kind": [peer.kind for peer in peers],
        "workload": [peer.workload for peer in peers],
    }
    if any(peer.cluster for peer in peers):
        columns["cluster"] = [peer.cluster or None for peer in peers]
    if any(peer.host for peer in peers):
        columns["host"] = [peer.host or None for peer in peers]
    return SectionRows(table=PEERS, columns=columns, rows=len(peers))


def _read(section: SectionRows, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """These columns, row by row; one that an older release did not have is not known."""
    unknown = [None] * section.rows
    columns = [cells(section.columns[name]) if name in section.columns else unknown for name in names]
    return zip(*columns, strict=True)


def _unsigned(half: int) -> int:
    return half % (1 << 64)


def _signed(half: int) -> int:
    return (half ^ _SIGN) - _SIGN
