"""What flows batches say of their completeness, when batches are cut and when windows become one.

Numbers that sources tell are believed up to what a hub takes: one beyond that would have the whole batch refused.
"""

from collections import Counter
from collections.abc import Sequence

from periplus_contract.batch import FlowsMark
from periplus_contract.limits import MAX_ROWS_PER_OUTCOME


def split_mark(mark: FlowsMark | None, parts: int) -> list[FlowsMark | None]:
    """Marks for the parts of one batch, which add up to it: all of it stands in the first."""
    return [mark and add_marks([mark]), *(mark and FlowsMark(node=mark.node) for _ in range(parts - 1))]


def add_marks(marks: Sequence[FlowsMark]) -> FlowsMark:
    """One mark for all of them; of no node where they are of several."""
    nodes = {mark.node for mark in marks}
    lost = Counter[str]()
    for mark in marks:
        lost.update(mark.lost)
    return FlowsMark(
        node=nodes.pop() if len(nodes) == 1 else "",
        observed=_bounded(sum(mark.observed for mark in marks)),
        unmeasured=_bounded(sum(mark.unmeasured for mark in marks)),
        other_rows=_bounded(sum(mark.other_rows for mark in marks)),
        other_hosts=_bounded(sum(mark.other_hosts for mark in marks)),
        lost={reason: _bounded(count) for reason, count in sorted(lost.items())},
        conditions=tuple(sorted({each for mark in marks for each in mark.conditions})),
    )


def _bounded(count: int) -> int:
    return min(count, MAX_ROWS_PER_OUTCOME)
