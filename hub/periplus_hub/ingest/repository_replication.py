"""SQL that asks the server where its log stands and how much of it its standbys have."""

from typing import Final

from sqlalchemy import text

from periplus_hub.ingest.model import Replication, standbys_needed
from periplus_hub.kit.db import ReadConnection

# A role without pg_read_all_stats (which pg_monitor includes) sees standbys, but not how far they are. A server that
# is no primary has no position: it answers all the same, so that the unit fails with the read-only error of its writes.
_ASK: Final = text(
    "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()), substr(pg_walfile_name(log.at), 1, 8), "
    "pg_postmaster_start_time()) AS history, coalesce(log.at, '0/0') AS written, "
    "current_setting('synchronous_standby_names') AS names, "
    "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS seen, "
    "ARRAY(SELECT flush_lsn FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') "
    "AND flush_lsn IS NOT NULL ORDER BY flush_lsn DESC) AS flushed "
    "FROM (SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END AS at) AS log"
)


async def system_replication(c: ReadConnection) -> Replication:
    """As it is now; only a primary can tell."""
    (row,) = await c.rows(_ASK)
    needed = standbys_needed(row.names)
    return Replication(
        history=row.history,
        written=row.written,
        synchronous=needed > 0,
        seen=row.seen,
        flushed=row.flushed[needed - 1] if 0 < needed <= len(row.flushed) else None,
    )
