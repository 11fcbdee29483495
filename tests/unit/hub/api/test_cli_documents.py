"""What --json prints has one style, whatever GraphQL's."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from graphql import (
    FieldNode,
    GraphQLEnumType,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    visit,
)

from periplus_hub.api import cli
from periplus_hub.api.cli import json_documents
from periplus_hub.api.cli.json_documents import COUNTS, WORDS, document
from periplus_hub.api.schema import build_schema

SCHEMA = build_schema()._schema
REPORT = {"Overlaps"}
"""Operations whose answers go into the report, which has a schema of its own."""


def operations() -> Iterator[tuple[str, str]]:
    """Every query of the command line, by its operation's name."""
    for found in pkgutil.iter_modules(cli.__path__):
        module = importlib.import_module(f"{cli.__name__}.{found.name}")
        for text in vars(module).values():
            if isinstance(text, str) and text.lstrip().startswith("query "):
                definition = parse(text).definitions[0]
                assert isinstance(definition, OperationDefinitionNode)
                assert definition.name is not None
                yield definition.name.value, text


class Members(Visitor):
    """Names of members by what they hold."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.enums: set[str] = set()
        self.counts: set[str] = set()
        self.others: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        kind = self.types.get_type()
        assert kind is not None, node.name.value
        named, member = get_named_type(kind), (node.alias or node.name).value
        if isinstance(named, GraphQLEnumType):
            self.enums.add(member)
        else:
            (self.counts if named.name == "BigInt" else self.others).add(member)


@pytest.mark.parametrize("text", [text for name, text in operations() if name not in REPORT])
def test_every_word_and_number_of_an_answer_is_known_as_one(text: str) -> None:
    types = TypeInfo(SCHEMA)
    members = Members(types)
    visit(parse(text), TypeInfoVisitor(types, members))
    assert members.enums <= WORDS
    assert members.counts <= COUNTS
    assert members.others.isdisjoint(WORDS | COUNTS)


def test_words_and_numbers_are_changed_and_names_are_not() -> None:
    answer = {"name": "PROD", "mode": "PLANNED", "sources": [{"state": "OK", "reason": None}], "rows": "7"}
    assert document([answer]) == [
        {"name": "PROD", "mode": "planned", "sources": [{"state": "ok", "reason": None}], "rows": 7}
    ]
    assert document({"state": None, "clockSkewMs": None}) == {"state": None, "clockSkewMs": None}
    assert json_documents.document({"role": "VIEWER"}) == {"role": "viewer"}
