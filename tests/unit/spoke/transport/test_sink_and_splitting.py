"""From observed columns to sealed Arrow and back, whole, cut and halved."""

import errno
import random
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
import zstandard

from periplus_contract import problems
from periplus_contract.batch import offsets
from periplus_contract.column_types import BOOL, INT64, TIMESTAMP, UTF8, UTF8_LIST
from periplus_contract.tables import NAMESPACES, Column, Kind, Table
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.model import Opened, Status
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Lane
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport import sink as sink_module
from periplus_spoke.transport.answers import Answers
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.pacer import Pacer
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.sink import OutboxSink
from periplus_spoke.transport.splitting import halve
from periplus_spoke.transport.verdicts import HubRefusal

from tests.support.clock import FakeClock
from tests.support.fake_hub import FakeHub, refuse, refuse_larger
from tests.support.spoke_batches import HOUR_S, assert_balanced, open_outbox
from tests.support.spoke_rig import sending

EVERY_TYPE = Table(
    "flows",
    (
        Column("id", UTF8, nullable=False),
        Column("bytes_tx", INT64),
        Column("denied", BOOL),
        Column("at", TIMESTAMP),
        Column("labels", UTF8_LIST),
    ),
)


def flows(rows: int) -> Sealable:
    columns: dict[str, list[Cell]] = {
        "id": [f"row-{row}" for row in range(rows)],
        "bytes_tx": [None if row % 3 == 0 else row * 2**40 for row in range(rows)],
        "denied": [None if row % 5 == 0 else row % 2 == 0 for row in range(rows)],
        "at": [None if row % 7 == 0 else HOUR_S * 1_000_000 + row for row in range(rows)],
        "labels": [None if row % 2 else [f"app={row}", "tier=é"] for row in range(rows)],
    }
    section = SectionRows(table=EVERY_TYPE, columns=columns, rows=rows)
    return Sealable(kind=Kind.FLOWS, window_start_s=HOUR_S, window_s=60, sections=(section,))


def namespaces(rows: int) -> Sealable:
    columns: dict[str, list[Cell]] = {
        "op": ["upsert"] * rows,
        "uid": [f"uid-{row}" for row in range(rows)],
        "observed_at": [HOUR_S * 1_000_000] * rows,
    }
    section = SectionRows(table=NAMESPACES, columns=columns, rows=rows)
    return Sealable(kind=Kind.INVENTORY, window_start_s=HOUR_S, window_s=0, sections=(section,), mode="snapshot")


def tables(opened: Opened) -> list[pa.Table]:
    body = zstandard.decompress(opened.body, max_output_size=opened.header.inflated_bytes)
    return [pa.ipc.open_stream(body[start:end]).read_all() for _, start, end in offsets(opened.header.sections)]


def opened(outbox: Outbox) -> list[Opened]:
    return [batch for batch in map(outbox.read, outbox.held()) if batch is not None]


async def test_halves_hold_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    outbox, thread = open_outbox(tmp_path / "outbox", FakeClock()), OutboxThread()
    await OutboxSink(thread, outbox, ChangeSignal(), FakeClock()).emit(flows(101))
    [whole] = opened(outbox)
    [before] = tables(whole)
    outbox.split(outbox.held()[0], halve(whole))
    after = [tables(half)[0] for half in opened(outbox)]
    assert [table.num_rows for table in after] == [50, 51]
    assert pa.concat_tables(after).to_pylist() == before.to_pylist()
    assert after[0].schema == before.schema
    assert_balanced(outbox)
    thread.close()


async def test_one_row_cannot_be_halved(tmp_path: Path) -> None:
    outbox, thread = open_outbox(tmp_path / "outbox", FakeClock()), OutboxThread()
    await OutboxSink(thread, outbox, ChangeSignal(), FakeClock()).emit(flows(1))
    assert halve(opened(outbox)[0]) == ()
    thread.close()


async def test_a_hub_that_finds_flows_too_large_gets_halves(tmp_path: Path) -> None:
    clock, thread = FakeClock(), OutboxThread()
    outbox = open_outbox(tmp_path / "outbox", clock)
    await OutboxSink(thread, outbox, ChangeSignal(), FakeClock()).emit(flows(8))
    async with FakeHub(clock) as hub:
        hub.misbehave("/v1/batches", refuse(problems.TOO_LARGE), refuse(problems.TOO_LARGE))
        async with sending(hub, tmp_path, clock, outbox):
            await clock.run_until(hub.reached(lambda: len(hub.ledger) == 3 and not outbox.held()))
    assert sorted(header.rows for header in hub.ledger.values()) == [2, 2, 4]
    told = {what: rows for (_, _, what), rows in hub.told.items() if rows}
    assert told == {"collected": 8}
    thread.close()


async def test_a_snapshot_is_cut_smaller_when_asked_and_stays_one_chain(tmp_path: Path) -> None:
    outbox, thread = open_outbox(tmp_path / "outbox", FakeClock()), OutboxThread()
    sink = OutboxSink(thread, outbox, ChangeSignal(), FakeClock())
    for _ in range(12):
        assert sink.shrink()
    await sink.emit(namespaces(30))
    marks = [batch.header.inventory for batch in opened(outbox)]
    assert [mark.part for mark in marks if mark] == [1, 2, 3]
    assert {mark.parts for mark in marks if mark} == {3}
    assert [identity.seq for identity in outbox.held()] == [1, 2, 3]
    rows = [row["uid"] for batch in opened(outbox) for row in tables(batch)[0].to_pylist()]
    assert rows == [f"uid-{row}" for row in range(30)]
    thread.close()


@pytest.mark.parametrize(("kind", "rows", "most"), [(Kind.INVENTORY, 250, 100), (Kind.IPAM, 40, 16)])
async def test_however_small_batches_become_the_hub_takes_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, rows: int, most: int
) -> None:
    monkeypatch.setattr(sink_module, "MAX_SNAPSHOT_PARTS", 100)
    outbox, thread = open_outbox(tmp_path / "outbox", FakeClock()), OutboxThread()
    sink = OutboxSink(thread, outbox, ChangeSignal(), FakeClock())
    while sink.shrink():
        pass
    whole = namespaces(rows)
    await sink.emit(whole if kind is Kind.INVENTORY else msgspec.structs.replace(whole, kind=kind, mode=None))
    [*_, last] = outbox.held()
    assert most // 2 < len(outbox.held()) <= most
    assert sum(total.collected for total, _ in outbox.accounts().values()) == rows
    assert outbox.depth().queued_batches == last.seq
    thread.close()


async def test_batches_grow_again_slowly(tmp_path: Path) -> None:
    """What one hub once refused, a proxy or a release later may pass; each try costs a snapshot at most."""
    clock, thread = FakeClock(), OutboxThread()
    outbox = open_outbox(tmp_path / "outbox", clock)
    sink = OutboxSink(thread, outbox, ChangeSignal(), clock)
    for _ in range(12):
        sink.shrink()
    parts = []
    for _ in range(6):
        before = len(outbox.held())
        await sink.emit(flows(48))
        parts.append(len(outbox.held()) - before)
        clock.advance(1_800)
    thread.close()
    assert parts == [4, 4, 2, 2, 1, 1]


def test_batches_do_not_shrink_for_ever(tmp_path: Path) -> None:
    thread = OutboxThread()
    sink = OutboxSink(thread, open_outbox(tmp_path / "outbox", FakeClock()), ChangeSignal(), FakeClock())
    assert sum(sink.shrink() for _ in range(100)) == 15
    thread.close()


def statuses(outbox: Outbox) -> set[Status]:
    return {entry.status for entry in outbox._held.ordered}


def full(_files: FolderFileSystem, _name: str, _data: bytes) -> None:
    raise OSError(errno.ENOSPC, "no room")


def without_descriptors(_files: FolderFileSystem, _name: str, _limit: int = -1) -> bytes:
    raise OSError(errno.EMFILE, "too many open files")


def context_of(outbox: Outbox, thread: OutboxThread, clock: FakeClock) -> SenderContext:
    return SenderContext(
        thread=thread,
        outbox=outbox,
        pacer=Pacer(clock),
        report=Report(),
        changes=ChangeSignal(),
        timer=clock,
        rng=random.Random(5),
        request_snapshot=lambda: None,
        shrink=lambda: False,
    )


@pytest.mark.promise("disks-may-fail")
async def test_too_large_while_the_disk_takes_no_halves_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, thread = FakeClock(), OutboxThread()
    outbox = open_outbox(tmp_path / "outbox", clock)
    await OutboxSink(thread, outbox, ChangeSignal(), clock).emit(flows(8))
    thread.close()
    [large] = outbox.held()
    with monkeypatch.context() as disk:
        disk.setattr(FolderFileSystem, "write", full)
        async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox):
            hub.misbehave("/v1/batches", refuse_larger(hub, rows=4))
            await clock.run_until(hub.reached(lambda: Status.UNCUT in statuses(outbox)))
            assert outbox.held() == (large,)
            disk.undo()
            await clock.run_until(hub.reached(lambda: not outbox.held()))
    assert [header.rows for header in hub.ledger.values()] == [4, 4]
    assert_balanced(outbox)


@pytest.mark.promise("disks-may-fail")
async def test_too_large_is_cut_as_soon_as_the_disk_takes_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next upkeep, however long the hub may be waited for otherwise."""
    clock, thread = FakeClock(), OutboxThread()
    outbox = open_outbox(tmp_path / "outbox", clock)
    await OutboxSink(thread, outbox, ChangeSignal(), clock).emit(flows(8))
    context = context_of(outbox, thread, clock)
    answers, large = Answers(context), outbox.next(Lane.BACKLOG)
    assert large is not None
    with monkeypatch.context() as disk:
        disk.setattr(FolderFileSystem, "write", full)
        await answers.refused(large, Kind.FLOWS, HubRefusal(problems.TOO_LARGE, "", None))
        await answers.look_after_uncut()
    assert (outbox.held(), context.pacer.withheld()) == ((large,), frozenset())
    assert outbox.next(Lane.BACKLOG) is None, "it would be too large again"
    await OutboxSink(thread, outbox, ChangeSignal(), clock).emit(flows(4))
    assert outbox.next(Lane.BACKLOG) == outbox.held()[1], "the others of its kind go on"
    assert outbox.recover_disk()
    await answers.look_after_uncut()
    thread.close()
    assert [batch.header.rows for batch in opened(outbox)] == [4, 4, 4]
    assert outbox.next(Lane.BACKLOG) == outbox.held()[1]
    assert_balanced(outbox)


@pytest.mark.promise("disks-may-fail")
async def test_too_large_and_not_readable_now_is_not_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, thread = FakeClock(), OutboxThread()
    outbox = open_outbox(tmp_path / "outbox", clock)
    await OutboxSink(thread, outbox, ChangeSignal(), clock).emit(flows(8))
    large = outbox.next(Lane.BACKLOG)
    assert large is not None
    with monkeypatch.context() as disk:
        disk.setattr(FolderFileSystem, "read", without_descriptors)
        refusal = HubRefusal(problems.TOO_LARGE, "", None)
        await Answers(context_of(outbox, thread, clock)).refused(large, Kind.FLOWS, refusal)
    thread.close()
    assert outbox.held() == (large,)
    assert_balanced(outbox)
