"""The few shapes of Markdown that the pages are made of."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Final

COMMAND: Final = "make docs"
NOTICE: Final = f"Generated from the code by `{COMMAND}` (`python -m docs.build`). Do not edit."


def page(title: str, *blocks: str) -> str:
    """A whole file: notice, title, blocks parted by empty lines."""
    body = "\n\n".join(block.strip("\n") for block in blocks if block.strip())
    return f"<!-- {NOTICE} -->\n\n# {title}\n\n{body}\n"


def section(title: str, *blocks: str, level: int = 2) -> str:
    """A heading with what stands under it."""
    return "\n\n".join((f"{'#' * level} {title}", *(block.strip("\n") for block in blocks if block.strip())))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are one line each, pipes inside them are escaped."""
    lines = [_row(header), "|" + "--|" * len(header)]
    lines.extend(_row(row) for row in rows)
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(line(cell).replace("|", r"\|") for cell in cells) + " |"


def code(text: str) -> str:
    """A code span, or nothing for no text."""
    return f"`{text}`" if text else ""


def fenced(text: str, language: str = "") -> str:
    """A code block."""
    return f"```{language}\n{text.strip()}\n```"


def bullets(items: Iterable[str]) -> str:
    """An unordered list."""
    return "\n".join(f"* {line(item)}" for item in items)


def line(text: str) -> str:
    """`text` with its line breaks and indents made single spaces."""
    return " ".join(text.split())


def prose(docstring: str | None) -> str:
    """A docstring as paragraphs and indented blocks, or nothing."""
    return inspect.cleandoc(docstring or "")


def summary(docstring: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return line(prose(docstring).partition("\n\n")[0])
