"""Full outboxes, refusing disks, rotten files: bounded, counted, and never in the way."""

import errno
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from periplus_contract.tables import Kind
from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.outbox.lock import FolderLock
from periplus_spoke.outbox.model import Draft, FileName, Opened
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Lane, Policy

from tests.support.clock import FakeClock
from tests.support.fake_fs import FakeFileSystem
from tests.support.spoke_batches import HOUR_S, assert_balanced, delta, draft, open_outbox, snapshot

SMALL = Policy(max_bytes=20_000, max_files=40, max_memory_bytes=10_000)


def dropped(outbox: Outbox) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for total, _ in outbox.accounts().values():
        for reason, rows in total.dropped.items():
            reasons[reason] = reasons.get(reason, 0) + rows
    return reasons


def bodies(outbox: Outbox) -> list[bytes]:
    opened = [outbox.read(identity) for identity in outbox.held()]
    return [bytes(batch.body) for batch in opened if batch is not None]


def folded(outbox: Outbox) -> int:
    return sum(total.folded for total, _ in outbox.accounts().values())


@pytest.mark.promise("nothing-disappears")
def test_a_full_outbox_drops_its_oldest_windows_and_counts_them() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock(), SMALL)
    for window in range(100):
        outbox.seal_all([draft(rows=1, start_s=HOUR_S + 60 * window, body=b"%03d" % window)])
        assert_balanced(outbox)
        assert outbox.depth().held_bytes <= SMALL.max_bytes
    kept = bodies(outbox)
    assert kept == [b"%03d" % window for window in range(100 - len(kept), 100)]
    assert dropped(outbox) == {"outbox_full": 100 - len(kept)}


def test_windows_are_folded_five_to_one_before_any_is_dropped() -> None:
    def fold(batches: Sequence[Opened]) -> Draft:
        first = batches[0].header
        start_s = first.window_start_s // 300 * 300
        return draft(rows=1, start_s=start_s, body=b"".join(bytes(batch.body) for batch in batches))

    policy = Policy(max_bytes=20_000, max_files=40, fold=fold)
    outbox = open_outbox(FakeFileSystem(), FakeClock(), policy)
    for window in range(60):
        outbox.seal_all([draft(rows=1, start_s=HOUR_S + 60 * window, body=b"%03d" % window)])
        assert_balanced(outbox)
    assert folded(outbox) > 0
    assert dropped(outbox) == {}
    assert sorted(b"".join(bodies(outbox))[at : at + 3] for at in range(0, 180, 3)) == [b"%03d" % n for n in range(60)]


def test_accepted_copies_go_before_anything_is_lost() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock(), SMALL)
    for window in range(100):
        outbox.seal_all([draft(start_s=HOUR_S + 60 * window)])
        identity = outbox.next(Lane.BACKLOG)
        assert identity is not None
        outbox.accept(identity)
    assert dropped(outbox) == {}
    assert_balanced(outbox)


def test_of_ipam_the_newest_stay_and_the_newest_allocations() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock(), SMALL)
    outbox.seal_all([draft(Kind.IPAM, body=b"allocations")])
    for _ in range(100):
        plain = draft(Kind.DNS)
        pools = Draft(
            kind=Kind.IPAM,
            window_start_s=HOUR_S,
            window_s=60,
            rows=1,
            sections=plain.sections,
            inflated_bytes=8,
            body=b"pools",
            covers=("pools/node",),
        )
        outbox.seal_all([pools])
    assert b"allocations" in bodies(outbox)
    assert bodies(outbox)[-1] == b"pools"
    assert dropped(outbox).keys() == {"outbox_full"}


def test_inventory_is_replaced_by_a_snapshot_and_never_just_dropped() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock(), SMALL)
    outbox.seal_all(snapshot())
    for _ in range(100):
        outbox.seal_all([delta()])
    assert outbox.snapshot_needed
    assert dropped(outbox).keys() == {"replaced_by_snapshot"}
    assert bodies(outbox) == [], "deltas without their base are useless"
    outbox.seal_all([*snapshot(2)])
    assert len(outbox.held()) == 2
    assert_balanced(outbox)


@pytest.mark.promise("disks-may-fail")
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_refusing_disk_means_memory_a_condition_and_recovery(error: int) -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock, SMALL)
    outbox.seal_all([*snapshot(), draft(body=b"on disk")])
    files.refusing = error
    outbox.seal_all([draft(body=b"in memory")])
    assert outbox.depth().refusal
    assert not outbox.snapshot_needed
    assert b"in memory" in bodies(outbox)
    for _ in range(100):
        outbox.seal_all([draft(body=bytes(200))])
        assert_balanced(outbox)
    assert sum(map(len, bodies(outbox))) < SMALL.max_memory_bytes
    assert b"on disk" in bodies(outbox)
    assert not outbox.recover_disk()
    files.refusing = 0
    assert outbox.recover_disk()
    assert outbox.depth().refusal == ""
    held = bodies(outbox)
    assert bodies(open_outbox(files, clock, SMALL)) == held


@pytest.mark.promise("disks-may-fail")
def test_on_a_full_disk_settled_files_can_still_be_deleted() -> None:
    files, clock = FakeFileSystem(capacity=100_000), FakeClock()
    outbox = open_outbox(files, clock)
    while not outbox.depth().refusal:
        outbox.seal_all([draft(body=random.Random(0).randbytes(1000))])
    names = len(files.files)
    for _ in range(10):
        identity = outbox.next(Lane.BACKLOG)
        assert identity is not None
        outbox.accept(identity)
    first = outbox.held()[0]
    assert outbox.settle(first.epoch, first.seq + 9) == 10
    assert len(files.files) < names - 8
    assert outbox.recover_disk()


@pytest.mark.promise("the-rest-goes-on")
def test_rotten_bits_cost_one_batch_and_block_nothing() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(rows=1, body=b"first"), draft(rows=2, body=b"second"), draft(rows=4, body=b"third")])
    name = sorted(name for name in files.files if name.endswith(".batch"))[1]
    whole = dict(files.files)
    for position in range(len(whole[name])):
        files.files, files.durable = dict(whole), dict(whole)
        files.flip_bit(name, position)
        again = open_outbox(files, clock)
        assert sorted(bodies(again)) in ([b"first", b"third"], [b"first", b"second", b"third"]), position
        lost = {} if len(again.held()) == 3 else {"damaged_file": 2}
        assert dropped(again) == lost, position
        assert_balanced(again)


def test_strange_files_are_left_alone() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    files.files = {"notes.txt": b"", "x.batch": b"", "half.tmp": b"half"}
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft()])
    assert {"notes.txt", "x.batch"} <= files.files.keys()
    assert "half.tmp" not in files.files


def test_a_number_is_not_used_again_after_its_file_was_removed_by_hand() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(), draft(), draft()])
    for name in [name for name in files.files if name.endswith(".batch")]:
        files.remove(name)
    given = outbox.held()
    again = open_outbox(files, clock)
    again.seal_all([draft()])
    assert not set(given).intersection(again.held())


def test_without_its_state_the_outbox_still_starts_a_later_epoch() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(body=b"old")])
    files.files["state.json"] = files.files["state.json"][:-1]
    again = open_outbox(files, clock)
    again.seal_all([draft(body=b"new")])
    assert again.depth().epoch > outbox.depth().epoch
    assert bodies(again) == [b"old", b"new"]
    assert_balanced(again)


def test_a_new_registration_takes_over_what_was_not_delivered() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([*snapshot(), draft(rows=5, body=b"flows")])
    other = "22222222-2222-7222-8222-222222222222"
    again = Outbox(files, clock, random.Random(2), other)
    headers = [opened.header for opened in map(again.read, again.held()) if opened is not None]
    assert [(header.registration, header.kind, header.rows) for header in headers if header.kind is Kind.FLOWS] == [
        (other, Kind.FLOWS, 5)
    ]
    assert_balanced(again)


def test_dead_letters_and_damaged_files_are_bounded(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox", FakeClock())
    for _ in range(20):
        outbox.seal_all([draft(body=bytes(1_000_000))])
        identity = outbox.next(Lane.BACKLOG)
        assert identity is not None
        outbox.dead_letter(identity)
    kept = list((tmp_path / "outbox").glob("*.dead"))
    assert sum(path.stat().st_size for path in kept) <= 16 * 1024 * 1024
    assert len(kept) >= 15


def test_ten_thousand_files_are_opened_by_their_headers_alone() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    outbox = open_outbox(files, clock)
    outbox.seal_all([draft(rows=1, body=bytes(100_000))])
    [name] = [name for name in files.files if name.endswith(".batch")]
    read: list[int] = []
    original = files.read

    def counted(name: str, limit: int = -1) -> bytes:
        content = original(name, limit)
        read.append(len(content))
        return content

    files.read = counted  # type: ignore[method-assign]  # counts what is read
    open_outbox(files, clock)
    assert FileName.parse(name) is not None
    assert sum(read) < 10_000


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    holder = (tmp_path / "lock").read_text().strip()
    with pytest.raises(SpokeError, match=f"process {holder}") as taken:
        second.acquire()
    assert "--state-dir" in taken.value.remedy
    first.release()
    second.acquire()
    second.release()


@pytest.mark.promise("disks-may-fail")
def test_a_full_disk_has_a_lock_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no room")

    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    monkeypatch.setattr("os.write", full)
    first.acquire()
    with pytest.raises(SpokeError, match="in use by process unknown"):
        second.acquire()
    first.release()
