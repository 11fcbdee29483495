"""UUIDv7: ids that sort by the time they were made."""

import random
import uuid
from typing import Final

_RANDOM_BITS: Final = 62
_STAMP_BITS: Final = 48


def uuid7(wall_us: int, rng: random.Random, *, after: str = "") -> str:
    """A new id in canonical lower-case text that sorts after `after`, even when the clock stepped back."""
    millis = wall_us // 1_000
    if after:
        millis = max(millis, (uuid.UUID(after).int >> (128 - _STAMP_BITS)) + 1)
    value = (millis & ((1 << _STAMP_BITS) - 1)) << 80
    value |= 0x7 << 76 | rng.getrandbits(12) << 64
    value |= 0b10 << _RANDOM_BITS | rng.getrandbits(_RANDOM_BITS)
    return str(uuid.UUID(int=value))
