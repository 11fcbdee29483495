"""Arguments that fields about addresses share."""

from typing import Annotated

import strawberry

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_scalars import Cidr

ClusterFilterArgument = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only what concerns this cluster.")
]
Family = Annotated[int | None, strawberry.argument(description="Only this family: 4 or 6.")]
Within = Annotated[Cidr | None, strawberry.argument(description="Only what lies inside or around this range.")]
Kinds = Annotated[list[AllocationKind] | None, strawberry.argument(description="Only these kinds.")]


def family_of(asked: int | None) -> int | None:
    """The family asked for, which there is; raises Invalid."""
    if asked not in {None, *FAMILY_BITS}:
        raise Invalid(f"family is {asked}", "Give 4 or 6, or leave it out for both.")
    return asked
