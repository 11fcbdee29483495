"""The door takes every kind of batch alike: what a kind is like is said in one file."""

import re
from collections.abc import Iterator

from periplus_contract.tables import Kind

from tests.meta.gates.source import Module, Violation

_DOOR = "hub/periplus_hub/ingest/"
_LISTS_THEM = f"{_DOOR}kinds.py"
_KIND = re.compile(rf"(?<![a-z])({'|'.join(Kind)})(?![a-z])", re.IGNORECASE)
_CONTRACT = re.compile(r"\bInventoryMark\b")
"""The contract's own name, wherever it is not given another."""


def named_kinds(module: Module) -> Iterator[Violation]:
    """In code, texts and comments, but for the file that lists the kinds."""
    if not module.path.startswith(_DOOR) or module.path == _LISTS_THEM:
        return
    for number, line in enumerate(module.text.splitlines(), 1):
        found = _KIND.search(_CONTRACT.sub("", line))
        if found:
            yield Violation(module.path, number, f"{found[0]!r} is a kind: ask its order ({_LISTS_THEM}) instead")
