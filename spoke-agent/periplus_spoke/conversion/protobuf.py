"""The wire format of protocol buffers, as much of it as a reader of a few fields and a writer of small requests need.

Nothing is copied and nothing recurses: a nested message is a view that the caller reads if it wants it. Fields that the
caller does not know are passed over. Groups, which no current schema has, are malformed.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

_VARINT: Final = 0
_BYTES: Final = 2
_WITH_VARINT: Final = frozenset((_VARINT, _BYTES))
_FIXED: Final = {1: 8, 5: 4}
_MORE: Final = 0x80
_LONGEST_VARINT: Final = 10
_BITS: Final = (1 << 64) - 1
_LONGEST_TEXT: Final = 256
_HIGHEST_FIELD: Final = 32_767
"""No message that is read here has a higher one. Else what is kept of a message could be a hundred times its size."""
_MOST_REPEATED: Final = 20_000

Value = int | memoryview
"""A number as it stands, or everything that has a length."""


class Malformed(ValueError):
    """Bytes that are no message."""


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field in turn. Raises Malformed where the bytes end early or are no fields."""
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        kind = key & 7
        value = _FIXED.get(kind, -1)
        if value < 0:
            if kind not in _WITH_VARINT:
                raise Malformed(f"no wire type {kind}")
            value, position = _varint(message, position)
            if kind == _VARINT:
                yield key >> 3, value
                continue
        last = position + value
        if last > end:
            raise Malformed("cut short")
        yield key >> 3, message[position:last]
        position = last


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    if position < len(message) and message[position] < _MORE:
        return message[position], position + 1
    value = shift = 0
    for byte in message[position : position + _LONGEST_VARINT]:
        value |= (byte & 0x7F) << shift
        shift += 7
        position += 1
        if byte < _MORE:
            return value & _BITS, position
    raise Malformed("cut short, or a number of more than 64 bits")


def singles(message: memoryview) -> dict[int, Value]:
    """The last value of each field: what a field that is not repeated means."""
    return {field: value for field, value in fields(message) if field <= _HIGHEST_FIELD}


def repeated(message: memoryview, field: int) -> list[Value]:
    """All values of one field, as far as anybody has so many."""
    return list(islice((value for each, value in fields(message) if each == field), _MOST_REPEATED))


def number(value: Value) -> int:
    """A field that is a number; raises Malformed for one that is not."""
    if isinstance(value, int):
        return value
    raise Malformed("a number was expected")


def nested(value: Value) -> memoryview:
    """A field that has a length; raises Malformed for one that has none."""
    if isinstance(value, int):
        raise Malformed("a message or a text was expected")
    return value


def text(value: Value) -> str:
    """A field that is text: what cannot be kept of it is replaced, and it ends where no name is that long."""
    return str(nested(value)[:_LONGEST_TEXT], "utf-8", "replace").replace("\0", "\ufffd")


def put_number(field: int, value: int) -> bytes:
    """A field with a number from 0."""
    return _written(field << 3) + _written(value)


def put_bytes(field: int, value: bytes | str) -> bytes:
    """A field with a text or a message."""
    raw = value.encode() if isinstance(value, str) else value
    return _written(field << 3 | _BYTES) + _written(len(raw)) + raw


def _written(value: int) -> bytes:
    written = bytearray()
    while value >= _MORE:
        written.append(value & 0x7F | _MORE)
        value >>= 7
    written.append(value)
    return bytes(written)
