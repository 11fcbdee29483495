"""A silenced check says which one and why."""

import io
import re
import tokenize
from collections.abc import Iterator

from tests.meta.gates.source import Module, Violation

_SILENCER = re.compile(r"#\s*(?:ruff:\s*)?(?:noqa|type:\s*ignore|mypy:\s*\S|pyright:\s*ignore)", re.IGNORECASE)
_CODES = r"(?:(?:ruff:\s*)?noqa:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|type:\s*ignore\[[a-z0-9, -]+\])"
_EXPLAINED = re.compile(rf"#\s*{_CODES}\s*(?:[-–—:#]+\s*)?(?P<why>\w.{{7,}})")


def unexplained_suppressions(module: Module) -> Iterator[Violation]:
    """Comments that silence ruff or mypy without naming a code and then giving a reason in words."""
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT and _SILENCER.search(token.string):
            found = _EXPLAINED.search(token.string)
            # Two silencers in a row are not a reason for each other.
            if found is None or _SILENCER.match("#" + found["why"]):
                message = "name the code and say why in the same line: `# type: ignore[index]  # the answer is JSON`"
                yield Violation(module.path, token.start[0], message)
