"""Words of dependencies as GraphQL enums. Who names one in a field takes it from here, so that it is one by then."""

import strawberry

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.model import EdgeLevel, EdgeOrder, EdgeSide, EdgeState, LinkLevel

strawberry.enum(EdgeLevel, name="DependencyLevel", description="What the ends of a dependency are.")
strawberry.enum(
    EdgeState,
    name="DependencyState",
    description="ACTIVE; NEW: first seen within a day, and the cluster had told flows without it before; SILENT: "
    "nothing passed for an hour while the cluster told of others; UNKNOWN: its clusters tell nothing at present.",
)
strawberry.enum(
    Verdict,
    name="FlowVerdict",
    description="What became of what was sent. FORWARDED; DROPPED: on the way, as a network policy does; ERROR: the "
    "network could not handle it; AUDITED: forwarded, though a policy would drop it if it were enforced; UNKNOWN: the "
    "source does not tell.",
)
strawberry.enum(
    EdgeOrder,
    name="DependencyOrder",
    description="What dependencies are sorted by, the greatest first and what is not known last. BYTES: both ways; "
    "FAILURES: connections that failed; RTT: the mean; LAST_SEEN: the latest first.",
)
strawberry.enum(EdgeSide, name="DependencySide", description="An end: who opens connections, or who takes them.")

strawberry.enum(LinkLevel, description="What links are between.")

__all__ = ["EdgeLevel", "EdgeOrder", "EdgeSide", "EdgeState", "LinkLevel", "Verdict"]
