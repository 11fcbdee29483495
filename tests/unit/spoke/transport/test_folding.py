"""A full outbox adds windows of flows up before it drops any: sums stay, time blurs, and what was folded is counted."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.tables import Kind
from periplus_spoke.conversion.flow_sums import rows_of
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.outbox.model import Opened
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Lane, Policy
from periplus_spoke.transport.folding import fold_flows
from periplus_spoke.transport.sink import draft_of
from periplus_spoke.transport.splitting import halve, opened_sections

from tests.support.clock import FakeClock
from tests.support.flow_rows import as_read, flow, measures, opened_draft, totals, window
from tests.support.spoke_batches import assert_balanced, draft, open_outbox

HOUR_S = 1_767_225_600


def at(start_s: int, rows: int = 3) -> Sealable:
    told = window([(flow(number), measures(10 + number)) for number in range(rows)])
    again = window(list(rows_of(told.sections)))
    columns = dict(again.sections[1].columns)
    columns["window_start"] = [start_s] * rows
    flows = msgspec.structs.replace(again.sections[1], columns=columns)
    return msgspec.structs.replace(told, window_start_s=start_s, sections=(again.sections[0], flows))


def opened(outbox: Outbox) -> list[Opened]:
    return [batch for batch in map(outbox.read, outbox.held()) if batch is not None]


def test_five_windows_become_one_with_the_same_sums(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.seal_all([draft_of(at(HOUR_S + 60 * window)) for window in range(5)])
    folded = fold_flows(opened(outbox))
    assert folded is not None
    assert (folded.window_start_s, folded.window_s) == (HOUR_S, 300)
    assert folded.flows is not None
    assert (folded.flows.node, folded.flows.observed, folded.flows.lost) == ("node-1", 15, {"evicted": 10})


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 2**40)), min_size=1, max_size=12))
def test_whatever_the_windows_have_their_sums_are_exact(told: list[tuple[int, int, int]]) -> None:
    windows: dict[int, list[tuple[int, int]]] = {}
    for number, which, amount in told:
        windows.setdefault(number, []).append((which, amount))
    whole = [window([(flow(which), measures(amount)) for which, amount in rows]) for rows in windows.values()]
    folded = fold_flows([opened_draft(draft_of(each)) for each in whole])
    assert folded is not None
    after = as_read(opened_sections(opened_draft(folded)), 300)
    assert totals(after) == totals([row for each in whole for row in as_read(each.sections)])
    assert len(after) == len({which for _, which, _ in told})


def test_a_full_outbox_folds_flows_and_counts_it(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock(), policy=Policy(max_files=4, fold=fold_flows))
    for number in range(5):
        outbox.seal_all([draft_of(at(HOUR_S + 60 * number))])
    assert_balanced(outbox)
    [total] = [total for total, _ in outbox.accounts().values()]
    assert total.folded > 0
    assert total.dropped == {}


def test_other_kinds_are_not_folded(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.seal_all([draft(Kind.DNS)])
    assert fold_flows(opened(outbox)) is None


@pytest.mark.parametrize("rows", [2, 9])
def test_halves_of_flows_have_all_rows_and_balanced_accounts(tmp_path: Path, rows: int) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.seal_all([draft_of(at(HOUR_S, rows))])
    [whole] = opened(outbox)
    identity = outbox.next(Lane.FRESH)
    assert identity is not None
    outbox.split(identity, halve(whole))
    after = opened(outbox)
    found = [row for half in after for row in as_read(opened_sections(half))]
    assert totals(found) == totals(as_read(opened_sections(whole)))
    assert [batch.header.flows for batch in after if batch.header.flows and batch.header.flows.observed] == [
        whole.header.flows
    ]
    assert_balanced(outbox)
