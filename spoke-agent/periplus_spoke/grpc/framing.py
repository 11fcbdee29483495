"""What stands before the bytes that matter: lengths of HTTP/2's frames, and of gRPC's messages in them. Pure.

A frame begins with three bytes of length and six of what it is; a message with a flag and four bytes of length.
"""

import struct
from typing import Final

_PREFIX: Final = struct.Struct(">BI")
_FRAME_LENGTH: Final = 3
_FRAME_HEADER: Final = 9
MOST_FRAME: Final = 16_384
"""What may be sent to who asked for no more."""


class LongFrame(ValueError):
    """A frame is longer than any may be, or what comes is no HTTP/2 at all."""


class FrameLengths:
    """Refuses a frame by its length: h2 looks at it when the frame has come, which may be 16 MiB later, or never."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._rest = 0

    def feed(self, data: bytes) -> None:
        """Raises LongFrame."""
        position, end = 0, len(data)
        while position < end:
            taken = min(self._rest, end - position)
            self._rest -= taken
            position += taken
            header = data[position : position + _FRAME_HEADER - len(self._header)]
            self._header += header
            position += len(header)
            length = int.from_bytes(self._header[:_FRAME_LENGTH], "big")
            if len(self._header) >= _FRAME_LENGTH and length > MOST_FRAME:
                raise LongFrame(f"it sends {bytes(self._header)!r}")
            if len(self._header) == _FRAME_HEADER:
                self._rest = length
                self._header.clear()


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
