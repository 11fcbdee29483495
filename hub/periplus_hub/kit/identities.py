"""Ids of things that have no id of their own: what is unique about them, in one text that `node` takes apart again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, literal

from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.node_ids import node_id, uuid_part


@dataclass(frozen=True, slots=True)
class Part:
    """A column that is part of an id, and how its text is read.

    `read` raises ValueError for what it cannot be. Another spelling of what it is is that too, or equals no column.
    """

    column: ColumnElement[Any]
    read: Callable[[str], Any]


def unique(column: ColumnElement[Any]) -> Part:
    """A UUID."""
    return Part(column, uuid_part)


def number(column: ColumnElement[Any], *, digits: int) -> Part:
    """A whole number that is not negative, of no more digits than its column holds."""
    return Part(column, partial(_number, digits))


def word(column: ColumnElement[Any]) -> Part:
    """Any text: what divides the parts is written in another way inside it."""
    return Part(func.replace(func.replace(column, "%", "%25"), ":", "%3A"), str)


def network(column: ColumnElement[Any]) -> Part:
    """A CIDR, written like a word."""
    return Part(func.replace(func.text(column), ":", "%3A"), _network)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a kind of thing is known by."""

    kind: str
    parts: tuple[Part, ...]

    @property
    def column(self) -> ColumnElement[str]:
        """The column `id`, made by the database so that rows need no converting."""
        text: ColumnElement[str] = literal(self.kind)
        for part in self.parts:
            text = text.concat(literal(":")).concat(cast(part.column, Text))
        return text.label("id")

    def where(self, found: Sequence[str]) -> list[ColumnElement[bool]]:
        """The conditions that the parts of an id stand for; raises Invalid for what is no id of this kind."""
        try:
            return [part.column == part.read(text) for part, text in zip(self.parts, found, strict=True)]
        except ValueError:
            message = f"'{node_id(self.kind, *found)[:80]}' is not the id of a {self.kind}"
            raise Invalid(message, "Copy the id from an answer of this API.") from None


def _number(digits: int, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= digits and str(int(text)) == text):
        raise ValueError(text)
    return int(text)


def _network(text: str) -> str:
    ip_network(text.replace("%3A", ":"))
    return text  # as it is: another spelling is equal to no row's
