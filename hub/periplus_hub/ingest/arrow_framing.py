"""Look at an Arrow IPC stream's framing before Arrow does.

Arrow checks that a stream is well formed, but it would also inflate compressed buffers and build dictionaries, both
of which multiply memory beyond the declared size. So the few bytes of metadata that say so are read here first:
one schema, then record batches, nothing compressed, nothing after the end.
"""

import struct
from typing import Final

from periplus_contract import limits, problems
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_FRAME: Final = struct.Struct("<Ii")
_CONTINUATION: Final = 0xFFFFFFFF
_SCHEMA: Final = 1
_RECORD_BATCH: Final = 3


def check_framing(stream: memoryview) -> None:
    """Raise SpokeRequestRefusal (invalid-batch) unless `stream` is one plain Arrow IPC stream and nothing else."""
    try:
        _walk(stream)
    except struct.error as error:
        raise _invalid("a section's Arrow stream is cut short") from error


def _invalid(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.INVALID_BATCH, detail)


def _walk(stream: memoryview) -> None:
    position, wanted = 0, _SCHEMA
    # Each message may be of a few bytes and each costs Arrow an object, so their number is bounded and not only their
    # size.
    for _ in range(limits.MAX_ARROW_MESSAGES):
        if position == len(stream) and wanted == _RECORD_BATCH:
            return
        marker, size = _FRAME.unpack_from(stream, position)
        position += _FRAME.size
        if marker != _CONTINUATION or not 0 <= size <= limits.MAX_ARROW_METADATA_BYTES:
            raise _invalid("a section's Arrow stream has no valid message where one should start")
        if size == 0:
            # Arrow would read up to this end and no further: rows behind it would be counted by nobody, and looked at
            # by nobody.
            if position != len(stream) or wanted == _SCHEMA:
                raise _invalid("a section's Arrow stream ends before its section does")
            return
        position += size + _body_length(stream[position : position + size], wanted)
        if position > len(stream):
            raise _invalid("a section's Arrow stream is cut short")
        wanted = _RECORD_BATCH
    raise _invalid(f"a section has more than {limits.MAX_ARROW_MESSAGES} Arrow messages")


def _body_length(metadata: memoryview, wanted: int) -> int:
    """The message's body length, after checking that it is of the wanted type and not compressed."""
    (root,) = struct.unpack_from("<I", metadata, 0)
    kind = _field(metadata, root, 1, "<B")
    if kind != wanted:
        raise _invalid(f"Arrow message type {kind} where {wanted} belongs (dictionaries are not taken)")
    if kind == _RECORD_BATCH:
        offset = _slot(metadata, root, 2)
        (relative,) = struct.unpack_from("<I", metadata, offset)
        # Field 3 of RecordBatch is its BodyCompression (Message.fbs of Arrow): a small buffer that inflates to
        # anything.
        if offset == 0 or _slot(metadata, offset + relative, 3):
            raise _invalid("Arrow buffers are compressed inside the compressed body")
    length = _field(metadata, root, 3, "<q")
    if length < 0:
        raise _invalid("an Arrow message has a negative length")
    return length


def _slot(metadata: memoryview, table: int, field: int) -> int:
    """Where field number `field` of a flatbuffers table lies, or 0 when it is not set."""
    (back,) = struct.unpack_from("<i", metadata, table)
    # Offsets come from the sender. Those beyond the end are a struct.error; a negative one would count from the end in
    # Python and read something else than Arrow does.
    vtable = table - back
    if vtable < 0:
        raise _invalid("Arrow metadata points outside itself")
    (size,) = struct.unpack_from("<H", metadata, vtable)
    entry = 4 + 2 * field
    if entry + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", metadata, vtable + entry)
    return table + int(offset) if offset else 0


def _field(metadata: memoryview, table: int, field: int, form: str) -> int:
    slot = _slot(metadata, table, field)
    return int(struct.unpack_from(form, metadata, slot)[0]) if slot else 0
