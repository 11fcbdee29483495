"""Bytes that the kernel answers with, to columns."""

import struct
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from periplus_spoke.conversion.conntrack.layouts import BODY, FIELDS, Layout, UnreadableError, learn

NEW: Final = 0x100
DESTROY: Final = 0x102
ERROR: Final = 2
DONE: Final = 3
_HEADER: Final = struct.Struct("=IHHII")
_ERROR: Final = struct.Struct("=i")
_INTERRUPTED: Final = 0x10
_MOST_LAYOUTS: Final = 32
"""Of one length and family. Beyond, the oldest goes: a kernel has a handful."""
_WIDTH: Final = len(FIELDS)


class Entries:
    """Entries of a dump, or events, as columns of unsigned numbers."""

    def __init__(self) -> None:
        self._values = array("Q")

    def __len__(self) -> int:
        return len(self._values) // _WIDTH

    def append(self, row: tuple[int, ...]) -> None:
        """One entry, in the order of `FIELDS`."""
        self._values.extend(row)

    def column(self, name: str) -> "array[int]":
        """All values of a field."""
        return self._values[FIELDS.index(name) :: _WIDTH]

    def rows(self, *names: str) -> Iterator[tuple[int, ...]]:
        """These fields, entry by entry."""
        return zip(*map(self.column, names), strict=True)


class Ending(NamedTuple):
    """What else stood in a buffer."""

    is_done: bool = False
    """The dump is over."""
    error: int = 0
    """The errno that the kernel refuses with."""
    is_interrupted: bool = False
    """The dump skipped something, because the table changed under it."""
    unreadable: int = 0
    """Messages that are none, or not whole."""


class Decoder:
    """Knows the shapes of messages that it has seen."""

    def __init__(self) -> None:
        self._layouts: dict[int, list[Layout]] = {}

    def decode(self, buffer: memoryview, entries: Entries) -> Ending:
        """Append every entry of a buffer, as one read of the socket gave it."""
        position, size, unreadable, flagged = 0, len(buffer), 0, 0
        while position < size:
            if size - position < _HEADER.size:
                return Ending(is_interrupted=bool(flagged & _INTERRUPTED), unreadable=unreadable + 1)
            length, kind, flags, _, _ = _HEADER.unpack_from(buffer, position)
            if length < _HEADER.size or position + length > size:
                return Ending(is_interrupted=bool(flagged & _INTERRUPTED), unreadable=unreadable + 1)
            flagged |= flags
            if kind in (NEW, DESTROY):
                unreadable += not self._append(buffer, position, length, entries)
            elif kind in (DONE, ERROR):
                code = _ERROR.unpack_from(buffer, position + _HEADER.size)[0] if length >= BODY else 0
                return Ending(kind == DONE, -code, bool(flagged & _INTERRUPTED), unreadable)
            position += length + 3 & ~3
        return Ending(is_interrupted=bool(flagged & _INTERRUPTED), unreadable=unreadable)

    def _append(self, buffer: memoryview, position: int, length: int, entries: Entries) -> bool:
        """Whether the message is an entry that can be read."""
        if length < BODY:
            return False
        family, body = buffer[position + 16], position + BODY
        constants = (0, 1, buffer[position + 4] == DESTROY & 0xFF, family)
        for layout in self._layouts.get(length << 8 | family, ()):
            if layout.headers.unpack_from(buffer, body) == layout.expected:
                entries.append(layout.pick(layout.values.unpack_from(buffer, body) + constants))
                return True
        try:
            layout = learn(buffer[position : position + length])
        except UnreadableError:
            return False
        known = self._layouts.setdefault(length << 8 | family, [])
        self._layouts[length << 8 | family] = [layout, *islice(known, _MOST_LAYOUTS - 1)]
        entries.append(layout.pick(layout.values.unpack_from(buffer, body) + constants))
        return True


def dump_request(sequence: int) -> bytes:
    """Asks for every connection of both families."""
    request, dump = 0x1, 0x300
    return _HEADER.pack(20, 0x101, request | dump, sequence, 0) + bytes(4)


def routes_request() -> bytes:
    """Asks for every route of both families."""
    request, dump = 0x1, 0x300
    return _HEADER.pack(28, 26, request | dump, 1, 0) + bytes(12)
