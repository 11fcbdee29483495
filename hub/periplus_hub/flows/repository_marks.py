"""SQL that finds out since when the inventory says something new about the past."""

from typing import Final

from sqlalchemy import text

from periplus_hub.access.scope import Scope
from periplus_hub.kit.db import WriteConnection

_MARGIN_S: Final = 60
"""Between a batch's arrival and its commit there is less."""
_MOVED: Final = text(
    """
    WITH told AS (
      SELECT r.id AS registration_id, b.first, b.last, b.received, m.told_until
      FROM registrations r
      LEFT JOIN flow_marks m ON m.tenant_id = r.tenant_id AND m.registration_id = r.id
      CROSS JOIN LATERAL (
        SELECT min(window_start) AS first, max(window_start) AS last, max(received_at) AS received FROM batches b
        WHERE b.tenant_id = r.tenant_id AND b.registration_id = r.id AND b.kind = 'inventory'
          AND b.received_at > coalesce(m.looked_at - make_interval(secs => :margin), '-infinity')) AS b
      WHERE r.tenant_id = :tenant AND b.last IS NOT NULL),
    noted AS (
      INSERT INTO flow_marks AS m (tenant_id, registration_id, told_until, looked_at)
      SELECT :tenant, registration_id, last, received FROM told
      ON CONFLICT (tenant_id, registration_id) DO UPDATE
      SET told_until = greatest(m.told_until, excluded.told_until), looked_at = excluded.looked_at)
    SELECT min(least(first, coalesce(told_until, first))) AS first, max(last) AS last FROM told
    WHERE told_until IS DISTINCT FROM last
    """
)
"""What a batch tells is of the time since the batch before it: `told_until` is when that was made. `looked_at` is when
the last one that was looked at arrived, by the clock of whoever took it."""


async def inventory_since(c: WriteConnection, scope: Scope) -> tuple[int, int] | None:
    """The time that inventory which came since the last call is about, in seconds; None when none came."""
    row = await c.one_or_none(_MOVED, {"tenant": scope.tenant_id, "margin": _MARGIN_S})
    return None if row is None or row.first is None else (int(row.first), int(row.last))
