"""What the spoke says about itself: phase, conditions, counters. For the status file and the health port."""

import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from periplus_spoke.kit.own_files import write_own
from periplus_spoke.outbox.figures import Depth

Phase = Literal["connecting", "listing", "enrolling", "pending", "sending", "settled", "failed"]

_MOST_REASONS: Final = 32
_LONGEST_REASON: Final = 64
"""A hub may name as many reasons as it likes."""

_log: Final = logging.getLogger(__name__)


class RowCount(NamedTuple):
    """What rows are counted under."""

    kind: str
    outcome: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON object; readers ignore unknown fields."""

    phase: Phase
    registration: str = ""
    cluster_name: str = ""
    reason: str = ""
    message: str = ""
    remedy: str = ""
    objects: int | None = None
    conditions: dict[str, str] = {}


class Report:
    """The current status and the counters behind `/metrics`."""

    def __init__(self, status_file: Path | None = None) -> None:
        self._file = status_file
        self.status = Status(phase="connecting")
        self.counters: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.rows: Mapping[RowCount, int] = {}
        self.depth: Depth | None = None

    def update(self, **changes: object) -> None:
        """Change fields of the status and write it when anything did change."""
        status = msgspec.structs.replace(self.status, **changes)
        # At "connecting" also when nothing changed: the file of an earlier run would be read as this one's.
        if status != self.status or changes.get("phase") == "connecting":
            self.status = status
            self._write()

    def trouble(self, reason: str, message: str, remedy: str = "") -> None:
        """Something a person may have to look at, while the spoke goes on."""
        if (reason, message) != (self.status.reason, self.status.message):
            _log.warning(message, extra={"reason": reason, "remedy": remedy})
        self.update(reason=reason, message=message, remedy=remedy)

    def well(self) -> None:
        """The hub takes what we send."""
        if self.status.reason:
            _log.info("the hub takes batches again")
        self.update(reason="", message="", remedy="")
        if self.status.phase == "pending":
            self.update(phase="sending")

    def set_aside(self, rejected: Mapping[str, int]) -> None:
        """Rows the hub has but does not use, by its reason."""
        for reason, rows in rejected.items():
            # Reasons become labels of a metric: with an endless number of them whoever scrapes would run out of memory.
            known = reason in self.rejected or len(self.rejected) < _MOST_REASONS
            self.rejected[reason[:_LONGEST_REASON] if known else "other"] += rows
        counts = ", ".join(f"{reason} {rows}" for reason, rows in sorted(self.rejected.items()))
        self.condition("rows_set_aside", f"the hub has set rows aside since the start: {counts}")

    def condition(self, name: str, message: str) -> None:
        """Raise a condition, or clear it with an empty message. What it quotes of strangers moves no cursor."""
        conditions = {key: value for key, value in self.status.conditions.items() if key != name}
        if message:
            conditions[name] = "".join(each if each.isprintable() else " " for each in message)
        self.update(conditions=conditions)

    def _write(self) -> None:
        if self._file is None:
            return
        temporary = self._file.with_name(self._file.name + ".tmp")
        with suppress(OSError):
            write_own(temporary, msgspec.json.encode(self.status), durable=False)
            temporary.replace(self._file)
