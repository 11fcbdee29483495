"""What the spoke tried to read and how that went: a row per source, told when its state changes."""

from typing import Final, Literal

import msgspec

from periplus_spoke.conversion.rows import Row

State = Literal["ok", "absent", "forbidden", "failed", "slow"]
_MESSAGE_CHARS: Final = 300


class Source(msgspec.Struct, kw_only=True):
    """The state of one source. `as_of_us` is when it was last known to be complete."""

    state: State
    reason: str = ""
    message: str = ""
    remedy: str = ""
    objects: int | None = None
    as_of_us: int | None = None

    def row(self) -> Row:
        """Its row of the table `sources`."""
        return (
            self.state,
            self.reason or None,
            self.message[:_MESSAGE_CHARS] or None,
            self.remedy or None,
            self.objects,
            self.as_of_us,
        )

    def same_state(self, other: "Source | None") -> bool:
        """Whether telling `other` after this would be news."""
        return other is not None and (self.state, self.reason, self.message) == (
            other.state,
            other.reason,
            other.message,
        )
