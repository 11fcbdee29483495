"""Where the inventory chain of the current epoch stands on our side. Pure."""

from periplus_contract.batch import InventoryMark
from periplus_spoke.outbox.model import Draft


class SealedChain:
    """Says which inventory may be sealed next, so that the hub never meets a delta without its base."""

    def __init__(self) -> None:
        self._last_seq = 0
        self._expected_part = 1
        self._parts = 0

    @property
    def complete(self) -> bool:
        """Whether the newest snapshot is sealed as a whole."""
        return self._last_seq > 0 and self._expected_part > self._parts

    def break_off(self) -> None:
        """Something of the chain is lost: only a fresh snapshot continues."""
        self._last_seq = 0
        self._expected_part = 1
        self._parts = 0

    def allows(self, draft: Draft) -> bool:
        """Whether this inventory draft connects."""
        if draft.mode == "snapshot":
            continues = self._last_seq > 0 and draft.part == self._expected_part and draft.parts == self._parts
            return draft.part == 1 or continues
        return self.complete

    def mark(self, draft: Draft) -> InventoryMark:
        """The mark for a draft that connects."""
        if draft.mode == "snapshot":
            return InventoryMark(mode="snapshot", part=draft.part, parts=draft.parts)
        return InventoryMark(mode="delta", after_seq=self._last_seq)

    def sealed(self, draft: Draft, seq: int) -> None:
        """Remember what was sealed."""
        self._last_seq = seq
        if draft.mode == "snapshot":
            # After the last part this is one more than there are parts, which is what `complete` looks for.
            self._expected_part = draft.part + 1
            self._parts = draft.parts
