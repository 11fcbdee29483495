"""What a module defines and nothing names: it was left behind, and readers take it for something that is in use."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.meta.gates.source import Gate, Module, Violation

_WORD = re.compile(r"\w+")
_CONTRACT = "contract/"


def unnamed(texts: Iterable[str]) -> Gate:
    """A gate for modules with these texts: a private name has to be named in its own, any other in one of them.

    The contract's public names are for whoever speaks it, also agents that are not here.
    """
    named = Counter(word for text in texts for word in _WORD.findall(text))

    def gate(module: Module) -> Iterator[Violation]:
        own = Counter(_WORD.findall(module.text))
        for line, name in _defined(module.tree):
            if name.startswith("__") or (module.path.startswith(_CONTRACT) and not name.startswith("_")):
                continue
            if (own if name.startswith("_") else named)[name] == 1:
                yield Violation(module.path, line, f"nothing names {name!r}: take it out")

    return gate


def _defined(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """At the top of a module. What is decorated may be registered by that, and needs no name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.decorator_list:
                yield node.lineno, node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.lineno, node.target.id
        elif isinstance(node, ast.Assign):
            yield from ((node.lineno, each.id) for each in node.targets if isinstance(each, ast.Name))
