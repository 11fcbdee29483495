"""docs/reference/held-back.md: ranges that are somebody's already, so that no plan proposes them, or only at last."""

from typing import Final

from docs.build.markdown import code, page, prose, section, table
from periplus_hub.addresses.free.engine.held_back import HELD_BACK, SPACES, Use

_INTRODUCTION: Final = """
    Free ranges ([how they are found](../explain/free-ranges.md)) are looked for in private space alone. In it, and
    where people might look beside it, these ranges are somebody's wherever clusters run. Where a provider is named, the
    row holds as soon as one cluster of the fleet runs there, because the others have to reach it.
"""


def render() -> str:
    """The page."""
    spaces = ", ".join(code(str(space)) for given in SPACES.values() for space in given)
    return page(
        "Ranges that are held back",
        prose(_INTRODUCTION),
        f"Private space is {spaces}.",
        section("Never proposed, nor reserved", _rows(Use.NEVER)),
        section("Proposed when nothing else is free", _rows(Use.LAST)),
    )


def _rows(use: Use) -> str:
    rows = [
        (code(row.cidr), row.holder, row.why, ", ".join(sorted(row.providers)) or "everywhere", f"<{row.source}>")
        for row in HELD_BACK
        if row.use is use
    ]
    return table(("range", "held by", "why", "holds", "see"), rows)
