"""Arguments that fields about addresses share."""

from typing import Annotated

import strawberry

from periplus_hub.addresses.ipam.model import FULL_PPM, AllocationKind, PoolFill, PoolScope
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_scalars import Cidr

ClusterFilterArgument = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only what concerns this cluster.")
]
Family = Annotated[int | None, strawberry.argument(description="Only this family: 4 or 6.")]
Within = Annotated[Cidr | None, strawberry.argument(description="Only what lies inside or around this range.")]
Kinds = Annotated[list[AllocationKind] | None, strawberry.argument(description="Only these kinds.")]

Scopes = Annotated[list[PoolScope] | None, strawberry.argument(description="Only pools with these scopes.")]
Providers = Annotated[list[str] | None, strawberry.argument(description="Only pools of these allocators.")]
Fills = Annotated[list[PoolFill] | None, strawberry.argument(description="Only pools so full.")]
LeastTaken = Annotated[
    float | None,
    strawberry.argument(
        description="Only pools of which so much is taken, from 0 to 1: 0.9 is nine tenths and more. Those of which it "
        "is unknown are not among them."
    ),
]


def ppm_of(share: float | None) -> int | None:
    """Of a million; raises Invalid for what is no share."""
    if share is None:
        return None
    if not 0 <= share <= 1:
        raise Invalid(f"leastTaken is {share}", "Give a number from 0 to 1, like 0.9.")
    return round(share * FULL_PPM)


def family_of(asked: int | None) -> int | None:
    """The family asked for, which there is; raises Invalid."""
    if asked not in {None, *FAMILY_BITS}:
        raise Invalid(f"family is {asked}", "Give 4 or 6, or leave it out for both.")
    return asked
