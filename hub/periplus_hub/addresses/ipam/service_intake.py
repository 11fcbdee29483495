"""The applier of ipam batches."""

from collections.abc import Sequence

from periplus_contract.tables import Kind
from periplus_hub.access.scope import system_scope
from periplus_hub.addresses.ipam import repository_intake
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.engine.batch_rows import (
    CoveredAllocations,
    IpamRows,
    covered_kinds,
    covered_scopes,
    prepare,
)
from periplus_hub.addresses.ipam.repository_pool_history import remember_pools
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.kit.db import WriteConnection


class IpamApplier:
    """Replaces the pools and allocations that a batch covers. The door keeps out what came too late."""

    kind = Kind.IPAM

    def __init__(self, config: IpamConfig) -> None:
        self._config = config

    def prepare(self, batch: DecodedBatch) -> tuple[IpamRows, tuple[Rejected, ...]]:
        """The pure part, for the worker thread."""
        return prepare(batch.tables, batch.covers, self._config.max_ranges_of_a_kind)

    async def apply(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        """In the ingest's transaction, each cluster's in turn: most batches carry the few rows of a pool sample."""
        for batch in group:
            await self._apply(c, batch)

    async def _apply(self, c: WriteConnection, batch: DecodedBatch) -> None:
        rows = batch.prepared if isinstance(batch.prepared, IpamRows) else self.prepare(batch)[0]
        cluster = batch.principal.registration_id
        scope = system_scope(batch.principal.tenant_id, f"spoke:{batch.principal.name}")
        scopes = covered_scopes(batch.covers)
        if scopes:
            await repository_intake.replace_pools(c, scope, cluster, rows.pools, scopes)
            await remember_pools(c, scope, cluster, rows.pools, batch.received_at)
        kinds = covered_kinds(batch.covers)
        if kinds:
            changed = await repository_intake.replace_allocations(
                c, scope, cluster, CoveredAllocations(rows.allocations, kinds), batch.received_at
            )
            if changed:
                await record_change(c, scope, [cluster], batch.received_at)
