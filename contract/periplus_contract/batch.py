"""Seal and open batches: the same bytes on disk and on the wire.

    8 bytes   magic   b"PERIPLUS"
    4 bytes   length of the header, little endian
    4 bytes   crc32 of the header, little endian
    n bytes   header, JSON
    rest      body: zstd frame over the concatenated Arrow IPC streams of the sections

The body is one zstd frame that needs no dictionary, and nothing follows it; its window is at most `MAX_INFLATED_BYTES`,
and a content size that it names is the header's `inflated_bytes`. What is in it says the page's part on tables.

The crc32 finds what accidents do to the header, the sha256 in the header what anybody does to the body. A batch is
known by (registration, epoch, seq): it never changes, so a second one under the same three that differs in any byte, of
header or body, is a conflict.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from periplus_contract import limits
from periplus_contract.decode_errors import where_decoding_stopped
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind

MAGIC: Final = b"PERIPLUS"
_PREFIX: Final = struct.Struct("<8sII")
_EPOCH: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NO_EPOCH: Final = "03bb2cc3-d800"
"""What the first epoch of the year 2100 would begin with."""


class DamagedBatchError(ValueError):
    """The bytes are not a whole sealed batch; the message says what is wrong with them."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One Arrow IPC stream inside the body, in body order. `inflated_bytes` is its exact length."""

    table: str
    rows: int
    inflated_bytes: int


class InventoryMark(msgspec.Struct, frozen=True, kw_only=True):
    """Where an inventory batch stands in its chain.

    A snapshot starts a chain: its parts (1..`parts`) are consecutive and replace what the header `covers`. A
    delta applies on the batch with seq `after_seq` (the previous inventory batch of the epoch), never elsewhere.
    """

    mode: Literal["snapshot", "delta"]
    part: int = 1
    parts: int = 1
    after_seq: int = 0


class PartMark(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of an ipam statement this is, when it takes more than one batch.

    Parts (1..`parts`) have consecutive seqs. Together they state what one batch would: sections of the same table
    are one section, and nothing of it holds before the last part is in.
    """

    part: int
    parts: int


class FlowsMark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of what passed the rows of a flows batch tell.

    Numbers add up over all batches of a window: where a window takes several, each fact stands in one of them. A source
    that saw nothing pass sends a batch without rows: its silence would say that it is gone.
    """

    node: str = ""
    """The node whose connections were read; empty for a source that sees the whole cluster."""
    observed: int = 0
    """Connections, events or series that the source had."""
    unmeasured: int = 0
    """Those of them whose bytes the source cannot tell."""
    other_rows: int = 0
    """Rows beyond the spoke's row budget: their sums are in the rows between peers of kind `other`."""
    other_hosts: int = 0
    """Rows that lost the `host` of their server, because the window had too many of them: they are told without."""
    lost: dict[str, int] = {}
    """What was not seen, by reason: `LOST_…` of the [words of flows](#words-of-flows)."""
    conditions: tuple[str, ...] = ()
    """What keeps the source from telling more, and a person can change, like `accounting_off`."""


Mark = InventoryMark | PartMark | FlowsMark
"""What a kind adds to the header of its batches. A kind that adds something brings a struct and is named here."""


def kind_fields(kind: Kind, mark: Mark | None) -> dict[str, Any]:
    """The header's fields that only this kind has: what it adds stands under its own name."""
    return {} if mark is None else {kind.value: mark}


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the hub must know before it inflates anything. Unknown fields are ignored by every reader.

    What a kind adds is in the field of its name, and only in batches of that kind.
    """

    contract: str
    registration: str
    epoch: str
    """UUIDv7 of one life of an outbox, minted whenever it is opened: later epochs sort later. In lower case, and of
    a time before the year 2100, whatever the spoke's clock says: so there is always room for a later one."""
    seq: int
    """Strictly +1 within an epoch, from 1, over all kinds."""
    kind: Kind
    window_start_s: int
    """Unix seconds, UTC, aligned to the window; for inventory the time of observation."""
    window_s: int = 0
    rows: int
    sections: tuple[Section, ...]
    inflated_bytes: int
    sha256: str
    """Lower-case hex over the body."""
    sealed_at_us: int
    """Spoke's wall clock at sealing."""
    monotonic_us: int
    """Spoke's age at sealing, from a clock that never steps."""
    oldest_held_seq: int = 1
    """Everything below is settled, dropped or dead-lettered: the hub need not wait for it."""
    outcomes: tuple[Outcome, ...] = ()
    inventory: InventoryMark | None = None
    ipam: PartMark | None = None
    """Only in ipam batches that are one part of several."""
    flows: FlowsMark | None = None
    covers: tuple[str, ...] = ()
    """What an inventory snapshot or an ipam batch states completely, by names of `periplus_contract.covers`: what is
    known of it and not named here has ended. The rest was not read whole and stays as known. Names a reader does not
    know are ignored; all parts of one statement name the same."""

    @property
    def mark(self) -> Mark | None:
        """What its kind adds, whichever that is."""
        return getattr(self, self.kind, None)


_HEADER: Final = msgspec.json.Decoder(Header)


def body_sha256(body: bytes) -> str:
    """The `sha256` field for `body`."""
    return hashlib.sha256(body).hexdigest()


def is_epoch(text: str) -> bool:
    """Whether a spoke may have started this epoch, so that another may be later."""
    return _EPOCH.fullmatch(text) is not None and text < _NO_EPOCH


def identity_sha256(sealed: bytes) -> str:
    """Over all that stands before the body of a whole batch: the body's own sha256 is there, so it speaks for both."""
    _, length, _ = _PREFIX.unpack_from(sealed)
    return hashlib.sha256(memoryview(sealed)[: _PREFIX.size + length]).hexdigest()


def seal(header: Header, body: bytes) -> bytes:
    """Put header and compressed body together; raises ValueError when a limit of the wire is exceeded."""
    encoded = msgspec.json.encode(header)
    if len(encoded) > limits.MAX_HEADER_BYTES:
        msg = f"header of {len(encoded)} bytes exceeds {limits.MAX_HEADER_BYTES}"
        raise ValueError(msg)
    sealed = _PREFIX.pack(MAGIC, len(encoded), zlib.crc32(encoded)) + encoded + body
    if len(sealed) > limits.MAX_COMPRESSED_BYTES:
        msg = f"batch of {len(sealed)} bytes exceeds {limits.MAX_COMPRESSED_BYTES}"
        raise ValueError(msg)
    return sealed


def unseal(sealed: bytes) -> tuple[Header, memoryview]:
    """Split and check a sealed batch; the body comes back still compressed.

    Raises DamagedBatchError for anything that is not whole: wrong magic, truncation, a header that does not
    decode, a body whose sha256 is not the header's. Limits beyond lengths are the caller's to check.
    """
    header, body = split(sealed)
    if hashlib.sha256(body).hexdigest() != header.sha256:
        msg = "body does not have the sha256 its header names"
        raise DamagedBatchError(msg)
    return header, body


def split(sealed: bytes) -> tuple[Header, memoryview]:
    """Like `unseal`, without the sha256 over the body."""
    if len(sealed) < _PREFIX.size:
        msg = f"{len(sealed)} bytes are too few for a batch"
        raise DamagedBatchError(msg)
    magic, length, crc = _PREFIX.unpack_from(sealed)
    if magic != MAGIC:
        msg = "does not start with the batch magic"
        raise DamagedBatchError(msg)
    if length > limits.MAX_HEADER_BYTES:
        msg = f"header length {length} exceeds {limits.MAX_HEADER_BYTES}"
        raise DamagedBatchError(msg)
    view = memoryview(sealed)
    encoded = view[_PREFIX.size : _PREFIX.size + length]
    if len(encoded) != length or zlib.crc32(encoded) != crc:
        msg = "header is truncated or damaged"
        raise DamagedBatchError(msg)
    return _decode_header(encoded), view[_PREFIX.size + length :]


def _decode_header(encoded: memoryview) -> Header:
    try:
        return _HEADER.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"header does not decode{where_decoding_stopped(error)}"
        raise DamagedBatchError(msg) from error


def offsets(sections: Sequence[Section]) -> list[tuple[Section, int, int]]:
    """Each section with its [start, end) in the inflated body."""
    start = 0
    spans = []
    for section in sections:
        spans.append((section, start, start + section.inflated_bytes))
        start += section.inflated_bytes
    return spans
