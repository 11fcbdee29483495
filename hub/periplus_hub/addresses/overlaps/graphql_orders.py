"""What overlap groups can be sorted by."""

from enum import StrEnum

import strawberry

from periplus_hub.kit.graphql_types import OrderDirection


@strawberry.enum(description="What overlap groups can be sorted by.")
class OverlapGroupOrderField(StrEnum):
    """See repository_groups.groups."""

    SEVERITY = "severity"
    CIDR = "cidr"
    CLUSTERS = "clusters"
    PAIRS = "pairs"
    SINCE = "since"
    CHANGED_AT = "changed-at"


@strawberry.input(description="In which order overlap groups are listed. By severity, rising is worst first.")
class OverlapGroupOrder:
    """Worst first, then those with most clusters, where nothing is said."""

    field: OverlapGroupOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which end first.")
