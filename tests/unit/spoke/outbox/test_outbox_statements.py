"""An ipam statement in several batches is kept, replaced and given up as one."""

import random
from pathlib import Path

import pytest

from periplus_contract.batch import PartMark
from periplus_contract.limits import MAX_IPAM_PARTS
from periplus_contract.tables import ALLOCATIONS, Kind
from periplus_spoke.conversion import cutting
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Lane, Policy
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.sink import OutboxSink

from tests.support.clock import FakeClock
from tests.support.fake_fs import FakeFileSystem
from tests.support.spoke_batches import HOUR_S, assert_balanced, draft, open_outbox, statement


def marks(outbox: Outbox) -> list[PartMark | None]:
    return [opened.header.ipam for identity in outbox.held() if (opened := outbox.read(identity)) is not None]


def dropped(outbox: Outbox) -> dict[str, int]:
    found: dict[str, int] = {}
    for total, _ in outbox.accounts().values():
        for reason, rows in total.dropped.items():
            found[reason] = found.get(reason, 0) + rows
    assert_balanced(outbox)
    return found


def test_parts_are_numbered_one_after_the_other_and_known_again_after_a_restart() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    open_outbox(files, clock).seal_all([draft(Kind.DNS)])
    open_outbox(files, clock).seal_all(statement(3))
    again = open_outbox(files, clock)
    assert marks(again) == [None, *(PartMark(part=part, parts=3) for part in (1, 2, 3))]
    assert [identity.seq for identity in again.held()] == [1, 1, 2, 3]


def test_one_that_the_hub_cannot_place_takes_the_others_along() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock())
    outbox.seal_all([*statement(3), draft(Kind.IPAM)])
    first = outbox.next(Lane.BACKLOG)
    assert first is not None
    outbox.accept(first)
    second = outbox.next(Lane.BACKLOG)
    assert second is not None
    outbox.resnapshot(second)
    assert outbox.snapshot_needed
    assert marks(outbox) == [None]
    assert dropped(outbox) == {"replaced_by_snapshot": 4}, "the accepted part is the hub's"


def test_another_writer_costs_the_statement_but_never_makes_a_part_of_it_a_whole_one() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock())
    outbox.seal_all(statement(2))
    first = outbox.next(Lane.BACKLOG)
    assert first is not None
    outbox.conflict(first)
    assert outbox.snapshot_needed
    assert outbox.held() == ()


def test_a_new_registration_starts_without_half_statements() -> None:
    files, clock = FakeFileSystem(), FakeClock()
    open_outbox(files, clock).seal_all([*statement(2), draft(Kind.DNS)])
    other = Outbox(files, clock, random.Random(2), "22222222-2222-7222-8222-222222222222")
    assert marks(other) == [None]


def test_a_full_outbox_gives_up_older_statements_whole() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock(), Policy(max_files=6))
    outbox.seal_all(statement(3))
    outbox.seal_all(statement(3, body=b"newer"))
    outbox.seal_all([draft(Kind.IPAM)])
    assert len(outbox.held()) == 4
    assert dropped(outbox) == {"outbox_full": 6}


def test_what_does_not_fit_whole_is_asked_for_again() -> None:
    outbox = open_outbox(FakeFileSystem(), FakeClock(), Policy(max_files=2))
    outbox.seal_all(statement(3))
    assert outbox.snapshot_needed
    dropped(outbox)


async def test_more_ranges_than_the_wire_takes_are_counted_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "MAX_ROWS", 1)
    thread, outbox = OutboxThread(), open_outbox(tmp_path / "outbox", FakeClock())
    sink = OutboxSink(thread, outbox, ChangeSignal(), FakeClock())
    rows = MAX_IPAM_PARTS + 1
    cidrs: list[Cell] = [f"10.0.0.{row}/32" for row in range(rows)]
    section = SectionRows(table=ALLOCATIONS, columns={"cidr": cidrs}, rows=rows)
    await sink.emit(Sealable(kind=Kind.IPAM, window_start_s=HOUR_S, window_s=60, sections=(section,)))
    assert outbox.held() == ()
    assert dropped(outbox) == {"too_large": rows}
    thread.close()
