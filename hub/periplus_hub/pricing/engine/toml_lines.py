"""On which line of a TOML text a table and a key of it stand, so that errors can name it. Pure.

The standard library's reader tells no lines. Headers and keys are found as lines that look like them: a text over
several lines that holds such a line misplaces an error, and changes nothing else.
"""

import re
from collections.abc import Mapping
from typing import Final

_HEADER: Final = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""^\s*["']?([A-Za-z0-9_.-]+)["']?\s*=""")


class TomlLines:
    """Lines of a text, from 1."""

    def __init__(self, text: str) -> None:
        self._tables: dict[str, list[int]] = {"": [1]}
        self._keys: dict[tuple[int, str], int] = {}
        at = 1
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                at = number
                self._tables.setdefault(header[1], []).append(number)
            elif key := _KEY.match(line):
                self._keys.setdefault((at, key[1]), number)

    def table(self, name: str, place: int = 0) -> int:
        """Where the table, or the so-manieth of an array of them, begins."""
        found = self._tables.get(name, [1])
        return found[min(place, len(found) - 1)]

    def key(self, table: int, name: str) -> int:
        """Where a key stands of the table that begins on this line."""
        return self._keys.get((table, name), table)

    def headers(self) -> Mapping[str, int]:
        """How many tables there are of each name."""
        return {name: len(lines) for name, lines in self._tables.items() if name}
