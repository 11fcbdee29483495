"""What flows batches say of their completeness, when batches are cut and when windows become one."""

from collections import Counter
from collections.abc import Sequence

from periplus_contract.batch import FlowsMark


def split_mark(mark: FlowsMark | None, parts: int) -> list[FlowsMark | None]:
    """Marks for the parts of one batch, which add up to it: all of it stands in the first."""
    return [mark, *(mark and FlowsMark(node=mark.node) for _ in range(parts - 1))]


def add_marks(marks: Sequence[FlowsMark]) -> FlowsMark:
    """One mark for all of them; of no node where they are of several."""
    nodes = {mark.node for mark in marks}
    lost = Counter[str]()
    for mark in marks:
        lost.update(mark.lost)
    return FlowsMark(
        node=nodes.pop() if len(nodes) == 1 else "",
        observed=sum(mark.observed for mark in marks),
        unmeasured=sum(mark.unmeasured for mark in marks),
        other_rows=sum(mark.other_rows for mark in marks),
        lost=dict(sorted(lost.items())),
        conditions=tuple(sorted({each for mark in marks for each in mark.conditions})),
    )
