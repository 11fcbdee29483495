"""What is let go of when the outbox is full: no more than has to be, and no window is blurred beyond use."""

import pytest

from periplus_contract.tables import Kind
from periplus_spoke.outbox.model import BatchId, Entry, FileName, Status
from periplus_spoke.outbox.planning import LARGEST_WINDOW_S, Relief, Step, foldable, relief

EPOCH = "01950000-0000-7000-8000-000000000001"


def entry(seq: int, *, kind: Kind = Kind.FLOWS, size: int = 100, window_s: int = 60, start_s: int = 0) -> Entry:
    return Entry(
        name=FileName(BatchId(EPOCH, seq), kind, start_s, 1),
        size=size,
        outcomes=(),
        covers=(),
        in_doubt=False,
        window_s=window_s,
    )


def ids(*seqs: int) -> tuple[BatchId, ...]:
    return tuple(BatchId(EPOCH, seq) for seq in seqs)


@pytest.mark.parametrize(
    ("missing_bytes", "missing_files", "gone"),
    [(1, 0, 1), (100, 0, 1), (101, 0, 2), (0, 1, 1), (0, 3, 3), (150, 1, 2), (50, 4, 4), (10_000, 0, 6)],
)
def test_as_many_go_as_bytes_and_files_ask_for(missing_bytes: int, missing_files: int, gone: int) -> None:
    held = [entry(seq, window_s=LARGEST_WINDOW_S) for seq in range(1, 7)]
    found = relief(held, missing_bytes, missing_files, can_fold=True)
    assert found == Relief(Step.DROP, ids(*range(1, gone + 1)))
    for each in held:
        each.status = Status.ACCEPTED
    found = relief(held, missing_bytes, missing_files, can_fold=True)
    assert found == Relief(Step.RELEASE, ids(*range(1, gone + 1)))


@pytest.mark.parametrize(
    ("window_s", "folds"), [(10, True), (60, True), (7, False), (61, False), (300, False), (0, False)]
)
def test_windows_are_folded_up_to_five_minutes(window_s: int, folds: bool) -> None:
    held = [entry(seq, window_s=window_s, start_s=seq * window_s) for seq in range(3)]
    assert foldable(held) == (ids(0, 1, 2) if folds else ())


def test_what_lies_alone_in_its_coarser_window_is_not_folded() -> None:
    held = [entry(seq, start_s=seq * 300) for seq in range(3)]
    assert foldable(held) == ()
    assert foldable([*held, entry(3, start_s=360)]) == ids(1, 3)


def test_kinds_and_lengths_are_not_mixed() -> None:
    assert foldable([entry(0), entry(1, kind=Kind.DNS), entry(2, window_s=30), entry(3, kind=Kind.EVENTS)]) == ()
