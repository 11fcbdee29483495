"""Any interleaving of sealing, sending, settling, refusing and dying: nothing lost, nothing doubled."""

import errno
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from periplus_contract.batch import Header, unseal
from periplus_contract.tables import Kind
from periplus_spoke.outbox.accounts import Hour
from periplus_spoke.outbox.model import BatchId
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Lane

from tests.support.clock import FakeClock
from tests.support.fake_fs import FakeFileSystem, PowerLossError
from tests.support.properties import examples
from tests.support.spoke_batches import HOUR_S, assert_balanced, delta, draft, open_outbox, snapshot

LANES = st.sampled_from(Lane)


class OutboxMachine(RuleBasedStateMachine):
    """The model is what the test handed in, and the hub's ledger."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.clock = FakeClock()
        self.files = FakeFileSystem(random.Random(seed))
        self.outbox: Outbox = open_outbox(self.files, self.clock)
        self.marks = 0
        self.returned: set[bytes] = set()
        """Bodies whose sealing returned and that no verdict took away again."""
        self.ledger: dict[BatchId, tuple[bytes, Header]] = {}
        self.given: dict[BatchId, bytes] = {}
        """Every identity ever seen on the way to the hub."""
        self.flying: dict[Lane, tuple[BatchId, bytes, Header]] = {}
        self.forgotten: set[BatchId] = set()
        """What was only in memory when the process died."""

    def _body(self) -> bytes:
        self.marks += 1
        return f"body-{self.marks}".encode()

    # ---- the collectors

    @rule(kind=st.sampled_from([Kind.FLOWS, Kind.DNS, Kind.IPAM]), rows=st.integers(0, 9), hour=st.integers(0, 2))
    def seal(self, kind: Kind, rows: int, hour: int) -> None:
        body = self._body()
        batch = draft(kind, rows=rows, body=body, start_s=HOUR_S + hour * 3600)
        if self._survives(lambda: self.outbox.seal_all([batch])):
            self.returned.add(body)

    @rule(parts=st.integers(1, 3))
    def seal_snapshot(self, parts: int) -> None:
        self._survives(lambda: self.outbox.seal_all(snapshot(parts, body=self._body())))

    @rule()
    def seal_delta(self) -> None:
        self._survives(lambda: self.outbox.seal_all([delta(body=self._body())]))

    # ---- the sender and the hub

    @rule(lane=LANES)
    def send(self, lane: Lane) -> None:
        if lane in self.flying:
            return
        identity = self.outbox.next(lane)
        if identity is not None:
            opened = self.outbox.read(identity)
            assert opened is not None
            body = bytes(opened.body)
            assert self.given.setdefault(identity, body) == body, "a number was used twice"
            self.flying[lane] = (identity, body, opened.header)

    @rule(lane=LANES, answered=st.booleans())
    def commit(self, lane: Lane, answered: bool) -> None:
        if lane in self.flying:
            identity, body, header = self.flying.pop(lane)
            self.ledger[identity] = (body, header)
            (self.outbox.accept if answered else self.outbox.put_back)(identity)

    @rule(lane=LANES)
    def never_arrive(self, lane: Lane) -> None:
        if lane in self.flying:
            self.outbox.put_back(self.flying.pop(lane)[0])

    @rule(lane=LANES)
    def dead_letter(self, lane: Lane) -> None:
        if lane in self.flying and self.flying[lane][0] not in self.ledger:
            identity, body, _ = self.flying.pop(lane)
            self.returned.discard(body)
            self._survives(lambda: self.outbox.dead_letter(identity))

    @rule(lane=LANES)
    def conflict(self, lane: Lane) -> None:
        if lane in self.flying and self.flying[lane][0] not in self.ledger:
            identity = self.flying.pop(lane)[0]
            self._survives(lambda: self.outbox.conflict(identity))

    @rule(lane=LANES)
    def gap(self, lane: Lane) -> None:
        if lane in self.flying and self.flying[lane][2].kind is Kind.INVENTORY:
            identity = self.flying[lane][0]
            if identity not in self.ledger:
                del self.flying[lane]
                self._survives(lambda: self.outbox.resnapshot(identity))

    @rule(ahead=st.integers(-1, 5))
    def settle(self, ahead: int) -> None:
        depth = self.outbox.depth()
        self._survives(lambda: self.outbox.settle(depth.epoch, depth.oldest_held_seq + ahead))

    @rule()
    def resend(self) -> None:
        self.outbox.requeue_accepted()

    # ---- fate

    @rule(error=st.sampled_from([errno.ENOSPC, errno.EROFS, errno.EIO]))
    def refuse(self, error: int) -> None:
        self.files.refusing = error

    @rule()
    def take_writes_again(self) -> None:
        self.files.refusing = 0
        self._survives(self.outbox.recover_disk)

    @rule(after=st.integers(0, 12))
    def die_soon(self, after: int) -> None:
        self.files.die_after = after

    @rule()
    def kill(self) -> None:
        """SIGKILL: the disk keeps everything written."""
        self._restart()

    @rule()
    def lose_power(self) -> None:
        self.files.power_loss()
        self._restart()

    def _survives(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except PowerLossError:
            self.files.power_loss()
            self._restart()
            return False
        return True

    def _restart(self) -> None:
        """What was only in memory is gone, though it may be in the ledger, or on disk after all."""
        for entry in self.outbox._held.entries.values():
            if entry.in_memory is not None:
                self.forgotten.add(entry.id)
                self.returned.discard(bytes(unseal(entry.in_memory)[1]))
        self.flying.clear()
        self.files.die_after = None
        self.clock.advance(1)
        self.outbox = open_outbox(self.files, self.clock, seed=self.marks + 7)

    # ---- what must hold

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "outbox"):
            return
        places: dict[bytes, set[BatchId]] = {}
        for identity, (body, header) in (self.ledger | self._held()).items():
            if header.kind is not Kind.INVENTORY:
                places.setdefault(body, set()).add(identity)
        assert self.returned <= places.keys()
        assert {body: ids for body, ids in places.items() if len(ids) > 1} == {}

    @invariant()
    def the_books_balance_and_are_told_once(self) -> None:
        if not hasattr(self, "outbox"):
            return
        assert_balanced(self.outbox)
        told: Counter[Hour] = Counter()
        held = self._held()
        known = {identity: seen for identity, seen in self.ledger.items() if identity not in self.forgotten}
        headers = {identity: header for identity, (_, header) in (known | held).items()}
        for outcome in [
            *self.outbox._held.accounts.pending(),
            *(row for header in headers.values() for row in header.outcomes),
        ]:
            told[Hour(outcome.kind, outcome.hour_start_s)] += outcome.collected
        collected = Counter({hour: total.collected for hour, (total, _) in self.outbox.accounts().items()})
        assert told == collected

    @invariant()
    def no_epoch_is_earlier_than_one_the_hub_has_seen(self) -> None:
        if hasattr(self, "outbox") and self.ledger:
            assert self.outbox.depth().epoch >= max(identity.epoch for identity in self.ledger)

    def _held(self) -> dict[BatchId, tuple[bytes, Header]]:
        held = {}
        for identity in self.outbox.held():
            opened = self.outbox.read(identity)
            assert opened is not None
            held[identity] = (bytes(opened.body), opened.header)
        return held


OutboxMachine.TestCase.settings = examples(0.5)
TestOutboxMachine = pytest.mark.promise("sealed-batches-survive", "nothing-disappears")(OutboxMachine.TestCase)
