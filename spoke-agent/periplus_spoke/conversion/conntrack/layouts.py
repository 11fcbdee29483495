"""How one shape of conntrack message is read without looking at its attributes one by one.

A kernel writes the messages of one dump in a handful of shapes, which differ in protocol, family, and whether
connections are counted. The first of a shape is walked, attribute by attribute; from then on one comparison of all
attribute headers tells that a message has that shape, and one unpacking gets all its values.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Final, NamedTuple

FIELDS: Final = (
    "is_destroyed",
    "family",
    "id",
    "zone",
    "status",
    "protocol",
    "tcp_state",
    "is_counted",
    "src_high",
    "src_low",
    "src_port",
    "dst_high",
    "dst_low",
    "dst_port",
    "end_high",
    "end_low",
    "end_port",
    "packets_tx",
    "bytes_tx",
    "packets_rx",
    "bytes_rx",
    "started_ns",
)
"""Columns of an entry. src and dst are what the client's packets say, `end` is where they get to: whoever answers.
Addresses of IPv4 are in `…_low` alone. tx is from the client. What an entry does not say is 0."""
BODY: Final = 20
"""Where the attributes of a message begin."""
_IPV6: Final = 10
_NESTED: Final = 0x8000
_TYPE: Final = 0x3FFF
_DEPTH: Final = 4
_ATTRIBUTE: Final = struct.Struct("=HH")
_V4: Final = ((1, "src"), (2, "dst"))
_V6: Final = ((3, "src"), (4, "dst"))
_PLACES: Final[Mapping[tuple[int, ...], tuple[str, str]]] = {
    **{(1, 1, number): (f"{side}_low", "I") for number, side in _V4},
    **{(1, 1, number): (f"{side}_high", "Q") for number, side in _V6},
    (1, 2, 1): ("protocol", "B"),
    (1, 2, 2): ("src_port", "H"),
    (1, 2, 3): ("dst_port", "H"),
    (1, 3): ("zone", "H"),
    (2, 1, 1): ("end_low", "I"),
    (2, 1, 3): ("end_high", "Q"),
    (2, 2, 2): ("end_port", "H"),
    (3,): ("status", "I"),
    (4, 1, 1): ("tcp_state", "B"),
    (9, 1): ("packets_tx", "Q"),
    (9, 2): ("bytes_tx", "Q"),
    (10, 1): ("packets_rx", "Q"),
    (10, 2): ("bytes_rx", "Q"),
    (12,): ("id", "I"),
    (18,): ("zone", "H"),
    (20, 1): ("started_ns", "Q"),
}
"""Attributes that matter, by the types of those they stand in: field and size, big endian."""
_SECOND_HALF: Final = {f"{side}_high": f"{side}_low" for side in ("src", "dst", "end")}
_COUNTERS: Final = frozenset({"packets_tx", "bytes_tx", "packets_rx", "bytes_rx"})


class UnreadableError(ValueError):
    """A message that is no conntrack entry, or a damaged one."""


class Layout(NamedTuple):
    """One shape of message: where its attribute headers stand and what they say, and where its values are."""

    headers: struct.Struct
    expected: tuple[int, ...]
    values: struct.Struct
    pick: Callable[[tuple[int, ...]], tuple[int, ...]]
    """From the values and (0, 1, is_destroyed, family) to `FIELDS`."""


class _Attribute(NamedTuple):
    offset: int
    path: tuple[int, ...]
    length: int
    """Of its value."""


def learn(message: memoryview) -> Layout:
    """The layout of this entry; offsets count from `BODY`. Raises UnreadableError."""
    found = list(_walk(message, BODY, len(message), ()))
    places: dict[str, tuple[int, str]] = {}
    for attribute in found:
        _place(places, attribute)
    families = {"src_high" in places, "dst_high" in places, "end_high" in places, message[16] == _IPV6}
    if not {"src_low", "dst_low", "end_low", "protocol"} <= places.keys() or len(families) != 1:
        raise UnreadableError
    ordered = sorted(places, key=lambda name: places[name][0])
    constants = len(ordered)
    index = dict.fromkeys(FIELDS, constants) | {name: number for number, name in enumerate(ordered)}
    index |= {"is_counted": constants + (places.keys() >= _COUNTERS), "is_destroyed": constants + 2}
    index |= {"family": constants + 3}
    heads = [(attribute.offset - 4 - BODY, "I") for attribute in found]
    headers = struct.Struct(_format("=", heads))
    return Layout(
        headers,
        headers.unpack_from(message, BODY),
        struct.Struct(_format(">", [places[name] for name in ordered])),
        itemgetter(*(index[name] for name in FIELDS)),
    )


def _place(places: dict[str, tuple[int, str]], attribute: _Attribute) -> None:
    place = _PLACES.get(attribute.path)
    if place is None:
        return
    name, code = place
    size = struct.calcsize(f">{code}")
    second = _SECOND_HALF.get(name)
    if attribute.length < (16 if second else size):
        raise UnreadableError
    places[name] = attribute.offset - BODY, code
    if second:
        places[second] = attribute.offset - BODY + 8, "Q"


def _walk(message: memoryview, start: int, end: int, path: tuple[int, ...]) -> Iterator[_Attribute]:
    """Every attribute, those that stand in others after these."""
    while start + _ATTRIBUTE.size <= end:
        length, flagged = _ATTRIBUTE.unpack_from(message, start)
        if length < _ATTRIBUTE.size or start + length > end:
            raise UnreadableError
        here = (*path, flagged & _TYPE)
        yield _Attribute(start + 4, here, length - 4)
        if flagged & _NESTED and len(here) < _DEPTH:
            yield from _walk(message, start + 4, start + length, here)
        start += length + 3 & ~3


def _format(order: str, places: list[tuple[int, str]]) -> str:
    """One that reads these places, which are in order, and skips what lies between."""
    parts, position = [order], 0
    for offset, code in places:
        parts += [f"{offset - position}x" if offset > position else "", code]
        position = offset + struct.calcsize(f">{code}")
    return "".join(parts)
