"""Lists of small objects that are stored, and travel, as lists of texts, like `app=web`.

A row keeps the texts, because most questions do not ask for them. The executor takes a whole column of such a field
apart at once, each different text once: a fleet's labels repeat.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import strawberry
from strawberry.types.field import StrawberryField

from periplus_hub.kit.graphql_prices import Cost, at_most

_KEY: Final = "parsed"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The row's attribute with the texts, and what a text is as an object; it takes any text."""

    attribute: str
    parse: Callable[[str], object]


def parsed(attribute: str, kind: type, parse: Callable[[str], object], *, description: str, about: int) -> Any:  # noqa: ANN401 - takes the place of a field's value, like strawberry.field
    """A field that lists objects of `kind`, about so many, from the texts in the row's `attribute`."""

    def read(root: strawberry.Parent[Any]) -> Any:  # noqa: ANN401 - `graphql_type` says what it is
        return [parse(text) for text in getattr(root, attribute)]

    return strawberry.field(
        resolver=read,
        graphql_type=cast("Any", list)[kind],
        description=description,
        directives=[Cost(weight=0), *at_most(about)],
        metadata={_KEY: Parsed(attribute, parse)},
    )


def parsed_of(field: StrawberryField) -> Parsed | None:
    """How a field's objects are made of texts; None for every other field."""
    found: Parsed | None = field.metadata.get(_KEY)
    return found
