"""Prices and bounds, declared where a field is declared and read by the request checks. Printed in the schema."""

import strawberry
from strawberry.schema_directive import Location

from periplus_hub.kit.windows import DEFAULT_ROWS


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION], description="The field's own price; without it a resolver costs 1."
)
class Cost:
    """The field's own price. A plain attribute is free, a resolver costs 1 unless this says otherwise."""

    weight: float = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="How many items a list holds: what one of slicingArguments says, else assumedSize; never over maximum.",
)
class ListSize:
    """How many items a list holds: the value of one of `slicing_arguments` when given, else `assumed_size`."""

    assumed_size: int = strawberry.directive_field(name="assumedSize")
    slicing_arguments: list[str] | None = strawberry.directive_field(name="slicingArguments", default=None)
    maximum: int | None = strawberry.directive_field(name="maximum", default=None)
    of_page: bool = strawberry.directive_field(name="ofPage", default=False)


def at_most(count: int) -> list[object]:
    """Directives of a list that holds about `count` items."""
    return [ListSize(assumed_size=count)]


def paged(
    default: int = DEFAULT_ROWS, maximum: int = 1_000, *, weight: float = 1.0, backwards: bool = True
) -> list[object]:
    """Directives of a connection sliced by `first`, and by `last` where it can be read backwards."""
    slicing = ["first", "last"] if backwards else ["first"]
    return [Cost(weight=weight), ListSize(assumed_size=default, slicing_arguments=slicing, maximum=maximum)]
