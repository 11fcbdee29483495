"""One life of an outbox is one epoch: what a restart forgets is never told twice, out of order or as another's."""

import contextlib
import errno
import random

import pytest

from periplus_contract.batch import is_epoch
from periplus_contract.tables import Kind
from periplus_spoke.outbox.model import FileName
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Lane

from tests.support.clock import FakeClock
from tests.support.fake_fs import FakeFileSystem, PowerLossError
from tests.support.spoke_batches import REGISTRATION, assert_balanced, delta, draft, open_outbox, snapshot, statement

OTHER = "22222222-2222-7222-8222-222222222222"


def bodies(outbox: Outbox) -> list[bytes]:
    return [bytes(opened.body) for opened in map(outbox.read, outbox.held()) if opened is not None]


def registrations(outbox: Outbox) -> set[str]:
    return {opened.header.registration for opened in map(outbox.read, outbox.held()) if opened is not None}


@pytest.mark.promise("inventory-ends-equal")
@pytest.mark.parametrize("refuses_from_the_start", [False, True])
def test_no_restart_goes_back_behind_what_the_hub_has_seen(*, refuses_from_the_start: bool) -> None:
    files, clock = FakeFileSystem(), FakeClock()
    open_outbox(files, clock)
    clock.advance(1)
    files.refusing = errno.EROFS if refuses_from_the_start else 0
    outbox = open_outbox(files, clock)
    files.refusing = errno.EROFS
    outbox.seal_all([*snapshot(), delta()])
    seen = outbox.held()[-1].epoch
    clock.advance(1)
    files.refusing = 0
    again = open_outbox(files, clock)
    again.seal_all(snapshot())
    assert again.held()[-1].epoch > seen


def test_a_clock_that_stepped_back_makes_no_earlier_epoch() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    clock.advance(86_400)
    before = open_outbox(files, clock).depth().epoch
    assert open_outbox(files, FakeClock()).depth().epoch > before


@pytest.mark.parametrize("years", [73, 90, 500])
def test_whatever_the_clock_says_a_hub_takes_the_epoch_and_there_is_a_later_one(years: int) -> None:
    files, clock = FakeFileSystem(), FakeClock()
    clock.advance(years * 365 * 86_400)
    epochs = [open_outbox(files, clock).depth().epoch for _ in range(3)]
    assert all(map(is_epoch, epochs))
    assert epochs == sorted(set(epochs))


@pytest.mark.promise("disks-may-fail")
def test_a_disk_that_refuses_breaks_no_chain() -> None:
    files = FakeFileSystem()
    outbox = open_outbox(files, FakeClock())
    outbox.seal_all(snapshot())
    files.refusing = errno.ENOSPC
    outbox.seal_all([delta(), *statement(2)])
    assert [identity.seq for identity in outbox.held()] == [1, 2, 3, 4]
    assert not outbox.snapshot_needed


@pytest.mark.promise("disks-may-fail", "sealed-batches-survive")
def test_a_kill_on_the_way_from_memory_to_disk_loses_nothing_that_was_written() -> None:
    for changes in range(40):
        files, clock = FakeFileSystem(random.Random(changes)), FakeClock()
        outbox = open_outbox(files, clock)
        outbox.seal_all([draft(body=b"disk")])
        files.refusing = errno.EIO
        outbox.seal_all([draft(body=b"one"), draft(body=b"two")])
        files.refusing = 0
        files.die_after = changes
        try:
            safe = outbox.recover_disk()
        except PowerLossError:
            safe = False
        files.power_loss()
        again = open_outbox(files, clock)
        assert_balanced(again)
        found = bodies(again)
        assert found == ([b"disk", b"one", b"two"] if safe else [b"disk", b"one", b"two"][: len(found)]), changes
        assert found[:1] == [b"disk"]


@pytest.mark.promise("disks-may-fail", "sealed-batches-survive")
def test_a_file_whose_first_writing_failed_stays_once_it_is_written() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    files.refusing = errno.EIO
    outbox.seal_all([draft(body=b"one")])
    assert not outbox.recover_disk()
    files.refusing = 0
    assert outbox.recover_disk()
    files.power_loss()
    assert bodies(open_outbox(files, clock)) == [b"one"]


@pytest.mark.promise("nothing-disappears")
def test_what_was_only_in_memory_is_not_in_the_books_of_the_next_life() -> None:
    files, clock = FakeFileSystem(capacity=200_000), FakeClock()
    outbox = open_outbox(files, clock)
    while not outbox.depth().refusal:
        outbox.seal_all([draft(rows=1, body=bytes(5_000))])
    outbox.seal_all([draft(rows=100, body=b"in memory")])
    first = outbox.next(Lane.BACKLOG)
    assert first is not None
    outbox.accept(first)
    outbox.settle(first.epoch, first.seq)  # gives the ballast up to store this
    again = open_outbox(files, clock)
    assert b"in memory" not in bodies(again)
    assert_balanced(again)


@pytest.mark.promise("nothing-disappears")
def test_what_the_disk_remembers_is_not_told_from_memory_too() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([delta(rows=7)])  # connects to nothing: dropped, and owed to the hub
    files.refusing = errno.EROFS
    outbox.seal_all([draft(rows=1)])
    [identity] = outbox.held()
    opened = outbox.read(identity)
    assert opened is not None
    assert [outcome.dropped for outcome in opened.header.outcomes] == [{}], "a restart will tell of the seven rows"


@pytest.mark.promise("sealed-batches-survive")
def test_a_kill_while_a_new_registration_takes_over_is_finished_by_the_next_start() -> None:
    for changes in range(60):
        files, clock = FakeFileSystem(random.Random(changes)), FakeClock()
        old = open_outbox(files, clock)
        old.seal_all([*snapshot(), draft(rows=5, body=b"flows"), draft(Kind.DNS, rows=2, body=b"dns"), *statement(2)])
        files.die_after = changes
        try:
            Outbox(files, clock, random.Random(2), OTHER)
        except PowerLossError:
            files.power_loss()
        files.die_after = None
        again = Outbox(files, clock, random.Random(3), OTHER)
        assert sorted(bodies(again)) == [b"dns", b"flows"], changes
        assert registrations(again) == {OTHER}, changes
        assert_balanced(again)


@pytest.mark.promise("disks-may-fail", "sealed-batches-survive")
def test_a_take_over_waits_for_a_disk_that_refuses() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    open_outbox(files, clock).seal_all([*snapshot(), draft(rows=5, body=b"flows")])
    files.refusing = errno.EROFS
    again = Outbox(files, clock, random.Random(2), OTHER)
    assert again.next(Lane.BACKLOG) is None, "nobody takes a batch that names another registration"
    files.refusing = 0
    assert again.recover_disk()
    assert bodies(again) == [b"flows"]
    assert registrations(again) == {OTHER}
    assert_balanced(again)


@pytest.mark.promise("disks-may-fail", "sealed-batches-survive")
def test_a_conflict_while_the_disk_refuses_loses_no_rows() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(rows=5, body=b"flows")])
    files.refusing = errno.EROFS
    identity = outbox.next(Lane.BACKLOG)
    assert identity is not None
    outbox.conflict(identity)
    assert outbox.next(Lane.BACKLOG) is None, "the same number would meet the same conflict"
    files.refusing = 0
    assert outbox.recover_disk()
    assert bodies(outbox) == [b"flows"]
    assert outbox.next(Lane.BACKLOG) not in (None, identity)
    assert_balanced(outbox)


@pytest.mark.promise("sealed-batches-survive")
@pytest.mark.parametrize("changes", range(1, 5))
def test_an_exchange_the_disk_does_not_take_changes_nothing(changes: int) -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(rows=4, body=b"whole")])
    identity = outbox.next(Lane.BACKLOG)
    assert identity is not None
    original, writes = files.write, 0

    def refuse_later(name: str, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes >= changes:
            raise OSError(errno.EIO, "no")
        original(name, data)

    files.write = refuse_later  # type: ignore[method-assign]  # a disk that fails in the middle
    outbox.split(identity, [draft(rows=2, body=b"left"), draft(rows=2, body=b"right")])
    held = bodies(outbox)
    files.write = original  # type: ignore[method-assign]  # and is well again
    assert held == [b"whole"]
    assert outbox.next(Lane.BACKLOG) is None, "the hub would find it too large again"
    assert outbox.uncut() == (), "the disk would refuse the halves again"
    assert_balanced(outbox)
    files.power_loss()
    again = open_outbox(files, clock)
    assert bodies(again) == held
    assert_balanced(again)
    assert outbox.recover_disk()
    assert outbox.uncut() == (identity,)


@pytest.mark.promise("the-rest-goes-on")
@pytest.mark.parametrize(
    "name",
    [
        "-" * 36 + ".000000000001.flows.1.1.batch",
        "ffffffff-ffff-7fff-bfff-ffffffffffff.000000000001.flows.1.1.batch",
        f"{REGISTRATION}.000000000001.flows.1.{'9' * 40}.batch",
        f"{REGISTRATION}.000000000001.flows.{'9' * 40}.1.batch",
    ],
)
def test_names_no_spoke_ever_gave_are_left_alone(name: str) -> None:
    files, clock = FakeFileSystem(), FakeClock()
    files.files = {name: b"?"}
    before = open_outbox(files, clock).depth().epoch
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft()])
    assert outbox.depth().epoch > before
    assert files.files[name] == b"?"
    assert FileName.parse(name) is None
    assert len(outbox.held()) == 1


@pytest.mark.promise("the-rest-goes-on")
def test_a_batch_file_larger_than_any_batch_is_damaged_and_never_read() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    open_outbox(files, clock).seal_all([draft(rows=2)])
    [name] = [name for name in files.files if name.endswith(".batch")]
    files.files[name] += bytes(3 * 1024 * 1024)
    outbox = open_outbox(files, clock)
    assert outbox.held() == ()
    assert_balanced(outbox)


@pytest.mark.promise("nothing-disappears")
@pytest.mark.parametrize("changes", range(12))
def test_a_kill_while_a_damaged_file_is_set_aside_counts_its_rows_once(changes: int) -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(rows=2), draft(rows=4)])
    [name, _] = sorted(name for name in files.files if name.endswith(".batch"))
    files.flip_bit(name, 100)
    files.die_after = changes
    with contextlib.suppress(PowerLossError):
        open_outbox(files, clock)
    files.die_after = None
    again = open_outbox(files, clock)
    [(total, queued)] = again.accounts().values()
    assert (total.dropped, queued) == ({"damaged_file": 2}, 4)
    assert_balanced(again)


@pytest.mark.promise("the-rest-goes-on")
def test_a_file_that_tells_what_is_not_owed_makes_no_header_the_hub_refuses() -> None:
    """Someone put a file of another folder here."""
    clock, elsewhere = FakeClock(), FakeFileSystem()
    files = FakeFileSystem()
    open_outbox(files, clock)
    clock.advance(1)
    other = open_outbox(elsewhere, clock)
    other.seal_all([delta(rows=7)])
    other.seal_all([draft(rows=1)])
    files.files |= {name: content for name, content in elsewhere.files.items() if name.endswith(".batch")}
    clock.advance(1)
    again = open_outbox(files, clock)
    assert len(again.held()) == 1
    again.seal_all([draft(rows=1)])
    for opened in map(again.read, again.held()):
        assert opened is not None
        for outcome in opened.header.outcomes:
            assert min(outcome.collected, *outcome.dropped.values(), 0) == 0


@pytest.mark.promise("disks-may-fail")
def test_days_in_memory_leave_no_trail() -> None:
    files = FakeFileSystem()
    outbox = open_outbox(files, FakeClock())
    files.refusing = errno.EROFS
    for _ in range(50):
        outbox.seal_all([draft()])
        identity = outbox.next(Lane.BACKLOG)
        assert identity is not None
        outbox.accept(identity)
        outbox.settle(*identity)
    assert len(outbox._held.store.marked_for_deletion) <= 1
