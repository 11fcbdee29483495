"""The applier of flows batches."""

from collections.abc import Sequence
from uuid import UUID

from periplus_contract import problems
from periplus_contract.tables import FLOWS, PEERS, Kind
from periplus_hub.access.scope import system_scope
from periplus_hub.flows import repository_inbox
from periplus_hub.flows.engine.bodies import prepared
from periplus_hub.flows.model import FlowRows
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.kit.db import WriteConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


class FlowsApplier:
    """Puts rows into the inbox. With the commit they are accepted; the loader takes them to the flow store."""

    kind = Kind.FLOWS

    def __init__(self, owner: UUID) -> None:
        """`owner` is this process, which loads what it takes."""
        self.owner = owner
        self.is_full = False
        """Whether the inbox is as large as it may be, so that spokes have to wait."""

    def prepare(self, batch: DecodedBatch) -> tuple[FlowRows, tuple[Rejected, ...]]:
        """The pure part, for the worker thread."""
        if self.is_full:
            raise SpokeRequestRefusal(
                problems.OVERLOADED, "the flows that wait for the flow store fill their room", retry_after_s=30
            )
        return _rows(batch), ()

    async def apply(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        """In the ingest's transaction, all at once."""
        scope = system_scope(group[0].principal.tenant_id, "spokes")
        rows = [(batch, batch.prepared if isinstance(batch.prepared, FlowRows) else _rows(batch)) for batch in group]
        await repository_inbox.accept(c, scope, self.owner, rows)


def _rows(batch: DecodedBatch) -> FlowRows:
    header, tables = batch.header, batch.tables
    if FLOWS.name not in tables or PEERS.name not in tables:
        return FlowRows(days=(), hours=())
    return prepared(tables[PEERS.name], tables[FLOWS.name], header.window_start_s, header.window_s)
