"""The documented example of every root field, mutation and subscription: also what the tests over the schema run."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from graphql import OperationDefinitionNode, OperationType, parse

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "graphql-examples"
_VARIABLES = re.compile(r"^# Variables: (.*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"<(\w+)>")


@dataclass(frozen=True)
class Example:
    """One file. `<Kind>` in its variables stands for the id of such a thing."""

    field: str
    text: str

    @property
    def kind(self) -> OperationType:
        definition = parse(self.text).definitions[0]
        assert isinstance(definition, OperationDefinitionNode)
        return definition.operation

    def variables(self, ids: dict[str, str]) -> dict[str, object]:
        found = _VARIABLES.search(self.text)
        text = found.group(1) if found else "{}"
        values: dict[str, object] = json.loads(_PLACEHOLDER.sub(lambda match: ids[match.group(1)], text))
        return values


EXAMPLES = [Example(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.graphql"))]
QUERIES = [each for each in EXAMPLES if each.kind is OperationType.QUERY]
MUTATIONS = [each for each in EXAMPLES if each.kind is OperationType.MUTATION]
