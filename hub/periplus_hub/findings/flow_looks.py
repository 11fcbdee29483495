"""What was seen of flows at the last look of this process. Pure: time is an argument."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.engine.watched import Watched
from periplus_hub.dependencies.model import Coverage

LOOK_LASTS: Final = timedelta(minutes=15)
"""What is older says nothing of now."""


class FlowLooks:
    """By tenant. None is said where nobody looked lately, or could not."""

    def __init__(self) -> None:
        self._coverage: dict[UUID, Coverage] = {}
        self._watched: dict[UUID, Watched] = {}

    def see_coverage(self, tenant_id: UUID, coverage: Coverage) -> None:
        """How much is told; known without the flow store."""
        self._coverage[tenant_id] = coverage

    def see_edges(self, tenant_id: UUID, watched: Watched) -> None:
        """What the flow store says."""
        self._watched[tenant_id] = watched

    def coverage(self, tenant_id: UUID, now: datetime) -> Coverage | None:
        """The last, if it is of now."""
        found = self._coverage.get(tenant_id)
        return found if found is not None and now - found.now <= LOOK_LASTS else None

    def watched(self, tenant_id: UUID, now: datetime) -> Watched | None:
        """The last, if it is of now."""
        found = self._watched.get(tenant_id)
        return found if found is not None and now - found.at <= LOOK_LASTS else None
