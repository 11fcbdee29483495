"""Names and addresses of many objects as one text: a tenth of what they cost one by one."""

from collections.abc import Iterable, Iterator
from typing import Final

_NOTHING: Final = "-"
_SPACE: Final = " "


def packed_line(*words: str) -> str:
    """A line of words, some of them empty; nothing where one is no word, as no name or address is."""
    line = _SPACE.join([word or _NOTHING for word in words])
    return line if line.isprintable() and line.count(_SPACE) == len(words) - 1 else ""


def packed(lines: Iterable[str]) -> str:
    """The lines that say something."""
    return "\n".join(line for line in lines if line)


def unpacked(text: str) -> Iterator[list[str]]:
    """The words of each line."""
    for line in text.split("\n") if text else ():
        yield ["" if word == _NOTHING else word for word in line.split(_SPACE)]
