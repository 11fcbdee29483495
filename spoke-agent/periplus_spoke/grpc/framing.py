"""Messages of gRPC in a stream of bytes: a flag, four bytes of length, the message. Pure."""

import struct
from typing import Final

_PREFIX: Final = struct.Struct(">BI")


class CompressedMessage(ValueError):
    """A message is compressed, though nothing was said that would allow it."""


def framed(message: bytes) -> bytes:
    """One message, as it goes out."""
    return _PREFIX.pack(0, len(message)) + message


class Unframer:
    """Cuts what comes into messages. One that is larger than `most` is passed over and counted, not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()
        self._skip = 0
        self.passed_over = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises CompressedMessage."""
        self._rest += data
        found: list[bytes] = []
        while True:
            if self._skip:
                skipped = min(self._skip, len(self._rest))
                del self._rest[:skipped]
                self._skip -= skipped
            if self._skip or len(self._rest) < _PREFIX.size:
                return found
            is_compressed, length = _PREFIX.unpack_from(self._rest)
            if is_compressed:
                raise CompressedMessage
            if length > self._most:
                self.passed_over += 1
                self._skip = _PREFIX.size + length
                continue
            end = _PREFIX.size + length
            if len(self._rest) < end:
                return found
            found.append(bytes(self._rest[_PREFIX.size : end]))
            del self._rest[:end]
