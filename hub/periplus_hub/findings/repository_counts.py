"""How many findings there are."""

from itertools import product
from typing import Final

from sqlalchemy import func, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.findings.model import FindingSeverity, FindingState
from periplus_hub.findings.tables import findings
from periplus_hub.kit.db import ReadConnection

LIVE: Final = (FindingState.OPEN, FindingState.ACKNOWLEDGED)
"""What goes on."""


async def live_counts(c: ReadConnection, scope: Scope) -> dict[tuple[FindingState, FindingSeverity], int]:
    """Findings that go on; 0 for those without."""
    kind = (findings.c.state, findings.c.severity)
    live = findings.c.state.in_([each.value for each in LIVE])
    asked = select(*kind, func.count().label("findings")).where(owned(scope, findings), live).group_by(*kind)
    found = {(row.state, row.severity): int(row.findings) for row in await c.rows(asked)}
    every = product(LIVE, FindingSeverity)
    return {(state, severity): found.get((state.value, severity.value), 0) for state, severity in every}
