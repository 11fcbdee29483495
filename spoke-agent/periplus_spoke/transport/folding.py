"""Several windows of flows into one coarser window: what a full outbox does before it drops anything."""

from collections.abc import Sequence
from typing import Final

import msgspec

from periplus_contract.batch import FlowsMark
from periplus_contract.tables import Kind
from periplus_spoke.conversion.cutting import within_limits
from periplus_spoke.conversion.flow_marks import add_marks
from periplus_spoke.conversion.flow_sums import WindowSums, rows_of
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.outbox.model import Draft, Opened
from periplus_spoke.outbox.planning import FOLD
from periplus_spoke.transport.sink import draft_of
from periplus_spoke.transport.splitting import opened_sections

_BUDGETS: Final = (20_000, 5_000, 1_000, 100)
"""Rows of the coarser window: the largest number that fits into one batch. The rest becomes rows of the tail."""


def fold_flows(batches: Sequence[Opened]) -> Draft | None:
    """The coarser window of batches that lie in one; None when they are no flows. Sums are exact."""
    first = batches[0].header
    if first.kind is not Kind.FLOWS:
        return None
    window_s = first.window_s * FOLD
    start_s = first.window_start_s // window_s * window_s
    mark = add_marks([batch.header.flows or FlowsMark() for batch in batches])
    opened = [opened_sections(batch) for batch in batches]
    for budget in _BUDGETS:
        sums = WindowSums(budget)
        for sections in opened:
            for flow, measures in rows_of(sections):
                sums.add(flow, measures)
        folded = sums.sections(start_s, window_s)
        whole = msgspec.structs.replace(
            mark, other_rows=mark.other_rows + sums.other_rows, other_hosts=mark.other_hosts + sums.other_hosts
        )
        parts = within_limits(
            Sealable(kind=first.kind, window_start_s=start_s, window_s=window_s, sections=folded, flows=whole)
        )
        if len(parts) == 1:
            return draft_of(parts[0])
    return None
