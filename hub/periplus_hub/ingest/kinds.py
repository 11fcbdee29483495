"""Every kind of batch, and how its batches stand to each other. No other file of this slice names one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from periplus_contract import covers, limits, problems
from periplus_contract.batch import Header
from periplus_contract.tables import Kind
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.service_order import Order, Unordered
from periplus_hub.ingest.service_order_chain import SnapshotChain
from periplus_hub.ingest.service_order_statements import NewestStatements
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


def _check_flows(header: Header) -> None:
    """What it says of its own completeness is summed like a measure."""
    mark = header.flows
    if mark is None:
        raise _invalid("a batch of flows must say how much of what passed it tells")
    counts = (mark.observed, mark.unmeasured, mark.other_rows, mark.other_hosts, *mark.lost.values())
    if not all(0 <= count <= limits.MAX_ROWS_PER_OUTCOME for count in counts):
        raise _invalid("a batch of flows counts fewer than nothing, or absurdly much")
    if max(len(mark.lost), len(mark.conditions)) > limits.MAX_FLOW_NOTES:
        raise _invalid("a batch of flows gives too many reasons")
    texts = (
        (mark.node, limits.MAX_KEY_BYTES),
        *((each, limits.MAX_REASON_LENGTH) for each in (*mark.lost, *mark.conditions)),
    )
    if any(len(text) > longest or "\0" in text for text, longest in texts):
        raise _invalid("a batch of flows gives a too long node or reason")


def _invalid(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.INVALID_BATCH, detail)


ORDERS: Final[Mapping[Kind, Order]] = {
    Kind.INVENTORY: SnapshotChain(
        lambda header: header.inventory, gap=problems.INVENTORY_GAP, max_parts=limits.MAX_SNAPSHOT_PARTS
    ),
    Kind.IPAM: NewestStatements(
        {cover: cover.removesuffix(f"/{covers.SEEN}") for cover in covers.IPAM},
        lambda header: header.ipam,
        gap=problems.IPAM_GAP,
        max_parts=limits.MAX_IPAM_PARTS,
    ),
    Kind.FLOWS: Unordered(_check_flows),
    Kind.DNS: Unordered(),
    Kind.EVENTS: Unordered(),
}
OF_AGENTS: Final[Mapping[Kind, Callable[[Header], str]]] = {
    Kind.FLOWS: lambda header: "" if header.flows is None else header.flows.node,
}
"""Kinds that an agent of a node may send, and the node that a batch says it is of. What a whole cluster has, and what
stands on a batch before it, is for the cluster's spoke: two that tell it would contradict each other."""
BY_HOUR: Final = Kind.FLOWS
"""Whose rows are accounted for hour by hour where nobody asks for another."""
OF_A_MOMENT: Final = tuple(kind for kind, order in ORDERS.items() if not order.windowed)
"""Kinds whose batches say by their window when they were made."""


@dataclass(frozen=True, slots=True)
class TakenKind:
    """A kind this hub takes."""

    order: Order
    applier: Applier


def taken_kinds(appliers: Sequence[Applier], orders: Mapping[Kind, Order]) -> dict[Kind, TakenKind]:
    """In the order in which a transaction writes them; raises ValueError rather than take what would go nowhere."""
    by_kind: dict[Kind, Applier] = {}
    for applier in appliers:
        if applier.kind in by_kind:
            msg = f"kind {applier.kind.value!r} has two appliers: only one of them would get its batches"
            raise ValueError(msg)
        by_kind[applier.kind] = applier
    unordered = [kind.value for kind in by_kind if kind not in orders]
    if unordered:
        msg = f"kind {unordered[0]!r} has an applier and no order: add it to ORDERS in periplus_hub.ingest.kinds"
        raise ValueError(msg)
    taken = {kind: TakenKind(order, by_kind[kind]) for kind, order in orders.items() if kind in by_kind}
    shared = [type(each.order) for each in taken.values() if each.order.one_kind_only]
    if len(shared) != len(set(shared)):
        msg = "two kinds have one order whose tables tell no kinds apart: give them a column for the kind first"
        raise ValueError(msg)
    return taken
