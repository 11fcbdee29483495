"""The seam between the door and the slices that keep what comes in. The slices implement it; api registers them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from periplus_contract.tables import Kind
from periplus_hub.ingest.model import Committed, DecodedBatch, Rejected
from periplus_hub.kit.db import WriteConnection


class Applier(Protocol):
    """Keeps one kind of batch."""

    @property
    def kind(self) -> Kind:
        """The kind it takes."""
        ...

    async def apply(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        """Write the batches' rows in the transaction of their ledger rows.

        All are of one tenant and each of another sender: of kinds that agents of nodes send, several may be of one
        cluster. `registration_id` of a batch is the cluster whose rows they are, whoever sent them, and
        `principal.agent_id` the agent, if one did. A batch comes at most once, and as the order of its kind says
        (`periplus_hub.ingest.kinds`).
        """
        ...


@runtime_checkable
class Preparing(Protocol):
    """An applier with work that needs no database: it runs in the worker thread, before the transaction."""

    def prepare(self, batch: DecodedBatch) -> tuple[object, tuple[Rejected, ...]]:
        """What `batch.prepared` becomes, and further rows set aside."""
        ...


Listener = Callable[[Committed], Awaitable[None]]
"""Hears of every committed batch, after the commit and before the answer; must be quick and must not raise."""
