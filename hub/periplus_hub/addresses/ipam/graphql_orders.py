"""What pools can be sorted by."""

from enum import StrEnum

import strawberry

from periplus_hub.kit.graphql_types import OrderDirection


@strawberry.enum(description="What pools can be sorted by. What is unknown counts as less than nothing.")
class PoolOrderField(StrEnum):
    """See repository_graphql.POOL_ORDERS."""

    NAME = "name"
    CAPACITY = "capacity"
    USED = "used"
    FREE = "free"
    TAKEN = "taken"
    OBSERVED_AT = "observed-at"


@strawberry.input(description="In which order pools are listed.")
class PoolOrder:
    """By cluster where nothing is said."""

    field: PoolOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which end first.")
