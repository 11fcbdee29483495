"""Deltas of connections: every byte that passed between readings counts once, and what cannot be known is said."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from periplus_contract import flow_words
from periplus_spoke.conversion.conntrack.connections import Connections, Deltas, FlowKey

from tests.support.conntrack_bytes import Connection, entries

ASSURED = 0x18E
SECOND_NS = 1_000_000_000


@dataclass
class Totals:
    """Takes what connections did; keyed by the port of the end, which tells them apart here."""

    bytes_tx: Counter[int] = field(default_factory=Counter)
    bytes_rx: Counter[int] = field(default_factory=Counter)
    told: Counter[int] = field(default_factory=Counter)
    begun: int = 0
    ended: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def passed(self, key: FlowKey, deltas: Deltas) -> None:
        self.bytes_tx[key[4]] += deltas[0]
        self.bytes_rx[key[4]] += deltas[1]
        self.told[key[4]] += 1

    def opened(self, key: FlowKey) -> None:
        del key
        self.begun += 1

    def closed(self, key: FlowKey, failure: str) -> None:
        del key
        self.ended += 1
        self.failures[failure] += 1


@dataclass
class Node:
    """Reads what is told it, as a collector does."""

    connections: Connections = field(default_factory=lambda: Connections(1_000))
    totals: Totals = field(default_factory=Totals)
    now_s: int = 1_000

    def dump(self, *given: Connection, is_whole: bool = True) -> None:
        began_ns, self.now_s = self.now_s * SECOND_NS, self.now_s + 30
        for one in given:
            self.connections.read(entries(one), self.totals)
        self.connections.end_dump(began_ns, is_whole=is_whole)

    def ends(self, *given: Connection) -> None:
        self.connections.read(entries(*given, is_destroyed=True), self.totals)

    @property
    def lost(self) -> dict[str, int]:
        return {reason: count for reason, count in self.connections.lost.items() if count}


def one(tx: int = 100, rx: int = 10, **changes: object) -> Connection:
    return replace(Connection(status=ASSURED, counters=(1, tx, 1, rx)), **changes)


def test_what_was_there_before_the_first_reading_is_not_counted() -> None:
    node = Node()
    node.dump(one(1_000))
    node.dump(one(1_250, 15))
    assert (node.totals.bytes_tx[8080], node.totals.bytes_rx[8080], node.totals.begun) == (250, 5, 0)


def test_what_begins_between_readings_counts_whole() -> None:
    node = Node()
    node.dump()
    node.dump(one(70))
    assert (node.totals.bytes_tx[8080], node.totals.begun) == (70, 1)


def test_a_connection_that_lived_between_two_readings_counts_by_its_end() -> None:
    node = Node()
    node.dump()
    node.ends(one(70, 7))
    assert (node.totals.bytes_tx[8080], node.totals.begun, node.totals.ended) == (70, 1, 1)
    assert len(node.connections) == 0


def test_its_last_counts_come_with_its_end() -> None:
    node = Node()
    node.dump()
    node.dump(one(70))
    node.ends(one(95))
    node.dump()
    assert (node.totals.bytes_tx[8080], node.totals.ended, node.lost) == (95, 1, {})


def test_an_id_that_is_used_again_for_others_is_another_connection() -> None:
    node = Node()
    node.dump(one(500))
    node.ends(one(500))
    node.dump(one(20, src_port=41_000))
    assert (node.totals.bytes_tx[8080], node.totals.begun) == (20, 1)


def test_the_same_ends_and_id_that_began_again_count_from_nothing() -> None:
    node = Node()
    node.dump(one(500, started_ns=5))
    node.dump(one(620, started_ns=node.now_s * SECOND_NS))
    assert (node.totals.bytes_tx[8080], node.totals.begun) == (620, 1)
    assert node.lost == {flow_words.LOST_RESET: 1}


def test_counters_that_went_back_count_from_nothing_and_say_so() -> None:
    node = Node()
    node.dump(one(500, 50))
    node.dump(one(30, 3))
    assert node.totals.bytes_tx[8080] == 30
    assert node.lost == {flow_words.LOST_RESET: 1}


def test_one_counter_that_went_back_counts_nothing() -> None:
    node = Node()
    node.dump(one(500, 50))
    node.dump(one(400, 60))
    assert (node.totals.bytes_tx[8080], node.totals.bytes_rx[8080]) == (0, 10)
    assert node.lost == {flow_words.LOST_RESET: 1}


def test_what_vanished_without_a_word_is_said_to_be_lost() -> None:
    node = Node()
    node.dump(one(500))
    node.dump()
    assert node.lost == {}  # its end may still be told
    node.dump()
    assert (node.lost, len(node.connections)) == ({flow_words.LOST_EVICTED: 1}, 0)


def test_after_a_reading_that_broke_off_nothing_old_is_taken_for_new() -> None:
    node = Node()
    node.dump()
    node.dump(is_whole=False)
    node.dump(one(500))
    assert (node.totals.bytes_tx[8080], node.totals.begun, node.lost) == (0, 0, {flow_words.LOST_UNREAD: 1})


def test_with_timestamps_even_that_is_told() -> None:
    node = Node()
    node.dump()
    node.dump(is_whole=False)
    node.dump(one(500, started_ns=(node.now_s - 5) * SECOND_NS), one(900, started_ns=5, src_port=9))
    assert (node.totals.bytes_tx[8080], node.totals.begun) == (500, 1)


def test_without_accounting_there_is_a_connection_and_no_count_of_bytes() -> None:
    node = Node()
    node.dump(one(counters=None))
    node.dump(one(counters=None))
    assert (node.totals.told[8080], node.totals.bytes_tx[8080]) == (2, 0)
    assert (node.connections.observed, node.connections.unmeasured) == (1, 1)
    node.connections.next_window()
    node.dump(one(counters=None), one(1, src_port=9))
    assert (node.connections.observed, node.connections.unmeasured) == (2, 1)


def test_a_connection_in_several_zones_counts_in_one() -> None:
    node = Node()
    node.dump(one(100, zone=7), one(100), one(50, zone=9, src_port=9))
    node.dump(one(150, zone=7), one(150), one(60, zone=9, src_port=9))
    assert (node.totals.bytes_tx[8080], node.lost) == (60, {})


def test_zones_that_appear_later_are_first_learned() -> None:
    node = Node()
    node.dump(one(100))
    node.dump(one(5_000, zone=7), one(150))
    node.dump(one(5_100, zone=7), one(250))
    assert node.totals.bytes_tx[8080] == 150


def test_more_connections_than_are_remembered_are_counted_as_not_measured() -> None:
    node = Node(Connections(2))
    node.dump(*(one(100, src_port=port) for port in range(5)))
    assert (len(node.connections), node.connections.observed, node.connections.unmeasured) == (2, 5, 3)


@pytest.mark.parametrize(
    ("status", "tcp_state", "protocol", "failure"),
    [
        (0x388, 8, 6, "refused"),
        (0x388, 2, 6, "timeout"),
        (0x38E, 8, 6, ""),
        (0x38A, 7, 6, ""),
        (0x388, 0, 17, ""),
    ],
)
def test_connections_of_tcp_that_never_came_about_are_failures(
    status: int, tcp_state: int, protocol: int, failure: str
) -> None:
    node = Node()
    node.dump()
    node.ends(one(60, status=status, tcp_state=tcp_state, protocol=protocol))
    assert node.totals.failures == {failure: 1}


def test_a_dying_entry_waits_for_its_last_counts() -> None:
    node = Node()
    node.dump()
    node.ends(one(60))
    node.dump(one(60, status=ASSURED | 0x200))
    assert (node.totals.bytes_tx[8080], node.totals.ended) == (60, 1)


class KernelAndReader(RuleBasedStateMachine):
    """A kernel's table, read and heard in the order in which the collector does: nothing is counted twice or lost."""

    def __init__(self) -> None:
        super().__init__()
        self.node = Node()
        self.table: dict[int, Connection] = {}
        self.queue: list[Connection] = []
        self.truth: Counter[int] = Counter()
        self.used = 0
        self.node.dump()

    @rule(timestamps=st.booleans(), port=st.integers(1, 3))
    def begins(self, timestamps: bool, port: int) -> None:
        self.used += 1
        started_ns = (self.node.now_s - 1) * SECOND_NS if timestamps else None
        self.table[self.used] = one(0, 0, src_port=self.used, end_port=port, id=self.used % 2, started_ns=started_ns)

    @precondition(lambda self: self.table)
    @rule(data=st.data(), octets=st.integers(0, 2**40))
    def sends(self, data: st.DataObject, octets: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.table)))
        connection = self.table[key]
        assert connection.counters is not None
        packets_tx, bytes_tx, packets_rx, bytes_rx = connection.counters
        self.table[key] = replace(connection, counters=(packets_tx + 1, bytes_tx + octets, packets_rx, bytes_rx))
        self.truth[connection.end_port] += octets

    @precondition(lambda self: self.table)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        self.queue.append(self.table.pop(data.draw(st.sampled_from(sorted(self.table)))))

    @rule()
    def reads_events(self) -> None:
        self.node.ends(*self.queue)
        self.queue.clear()

    @rule()
    def reads_all(self) -> None:
        self.reads_events()
        self.node.dump(*self.table.values())

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        assert self.node.lost == {}
        counted = self.node.totals.bytes_tx
        assert all(counted[port] <= self.truth[port] for port in self.truth)

    def teardown(self) -> None:
        self.reads_all()
        assert +self.node.totals.bytes_tx == +self.truth
        assert len(self.node.connections) == len(self.table)
        assert self.node.totals.begun - self.node.totals.ended == len(self.table)


TestKernelAndReader = KernelAndReader.TestCase
