"""The outbox's small durable state: what the files themselves cannot say. Pure.

One line `PERIPLUS-STATE <crc32, hex>` and one JSON object. A damaged state is never guessed at: the files alone then
say what is held, and the accounts start with them.
"""

import zlib
from typing import Final

import msgspec

from periplus_contract.outcomes import Outcome
from periplus_spoke.outbox.accounts import HourTotal
from periplus_spoke.outbox.model import BatchId

STATE_NAME: Final = "state.json"
MAX_STATE_BYTES: Final = 64 * 1024 * 1024
"""What is larger is none of ours: a name of each of a million files."""
_MAGIC: Final = b"PERIPLUS-STATE "


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Written before the act it announces, so recovery can finish or undo it."""

    epoch: str
    """The latest so far; the next life starts a later one."""
    counted: BatchId = BatchId("", 0)
    """Files up to this one are in `totals` and `pending`. A later one was sealed, or moved from memory, since."""
    pending: tuple[Outcome, ...] = ()
    totals: tuple[HourTotal, ...] = ()
    removing: tuple[str, ...] = ()
    """Files already accounted for as gone: recovery deletes them."""
    replacing: tuple[str, ...] = ()
    """Files of an exchange that was not committed: recovery deletes them, the originals stay."""


_DECODER: Final = msgspec.json.Decoder(State)


def encode(state: State) -> bytes:
    """The file's bytes."""
    body = msgspec.json.encode(state)
    return _MAGIC + b"%08x\n" % zlib.crc32(body) + body


def decode(data: bytes) -> State | None:
    """The state, or None when the bytes are not whole."""
    head, newline, body = data.partition(b"\n")
    if not newline or head != _MAGIC + b"%08x" % zlib.crc32(body):
        return None
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        return None
