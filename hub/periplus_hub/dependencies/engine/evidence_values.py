"""What the raw rows of one dependency say of an hour, as values. Pure."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from periplus_contract.flow_words import Reporter, Verdict
from periplus_hub.dependencies.model import EdgeEnd
from periplus_hub.flows.model import HOUR_S, MINUTE_S

REPORTERS: Final = (Reporter.CLIENT, Reporter.SERVER, Reporter.BOTH)


class EvidenceState(Enum):
    """Whether the raw rows are there."""

    KEPT = "kept"
    PARTLY_LOST = "partly_lost"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSums:
    """Of rows. None is not known."""

    bytes_tx: int | None
    bytes_rx: int | None
    packets_tx: int | None
    packets_rx: int | None
    connections_opened: int | None
    failures: int | None
    retransmits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawWindow:
    """One row as a spoke sent it."""

    start: int
    window_s: int
    registration_id: UUID
    reporter: int
    collector: int
    protocol: int
    port: int
    verdict: Verdict
    source: str
    """An address, or `namespace/kind/name` where the source told it."""
    destination: str
    host: str
    """The name by which the client asked for the destination; '' where the source does not say."""
    sampling: int
    sums: RawSums


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterTotals:
    """What one side told in all rows of the hour."""

    reporter: int
    rows: int
    widest_s: int
    """The widest of their windows."""
    sums: RawSums
    minutes: Mapping[int, int | None]
    """Bytes both ways of windows that begin in a minute; None where none of them is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Of one edge in one hour. Without ends nothing is among the edges of that hour."""

    src: EdgeEnd | None
    dst: EdgeEnd | None
    windows: Sequence[RawWindow]
    totals: Sequence[ReporterTotals]
    named_elsewhere: int = 0
    """Rows besides that may be of it: a source named one of their ends in another cluster, in its own words."""

    @property
    def rows(self) -> int:
        """How many there are, shown or not."""
        return sum(each.rows for each in self.totals)


NO_EVIDENCE: Final = Evidence(src=None, dst=None, windows=(), totals=())


def by_minutes(
    evidence: Evidence, hour: int, reporter: Reporter, told: Mapping[UUID, Container[int]]
) -> list[int | None]:
    """Bytes both ways that a reporter told, minute by minute.

    0 only where a cluster that watches told of the minute; `told` has the minutes that each did.
    """
    found = {
        minute: value for each in evidence.totals if each.reporter == reporter for minute, value in each.minutes.items()
    }
    watching = {
        Reporter.CLIENT: (evidence.src,),
        Reporter.SERVER: (evidence.dst,),
        Reporter.BOTH: (evidence.src, evidence.dst),
    }[reporter]
    clusters = [each.registration_id for each in watching if each is not None and each.registration_id is not None]
    return [
        found.get(minute, 0 if any(minute in told.get(each, ()) for each in clusters) else None)
        for minute in range(hour, hour + HOUR_S, MINUTE_S)
    ]
