"""The outbox's small durable state: what the files themselves cannot say. Pure.

One line `PERIPLUS-STATE <crc32, hex>` and one JSON object. A damaged state is never guessed at: the outbox then
starts a new epoch, because it can no longer know which numbers were used.
"""

import zlib
from typing import Final

import msgspec

from periplus_contract.outcomes import Outcome
from periplus_spoke.outbox.books import HourTotal

STATE_NAME: Final = "state.json"
_MAGIC: Final = b"PERIPLUS-STATE "


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Written before the act it announces, so recovery can finish or undo it."""

    registration: str
    epoch: str
    high_water: int = 0
    """Highest seq ever given out in `epoch`, whether or not its file still exists."""
    carried: int = 0
    """Headers up to this seq are reflected in `pending`; a later file took its outcomes out of `pending`."""
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
