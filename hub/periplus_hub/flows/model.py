"""Flows on their way into the store, as values. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
MINUTE_S: Final = 60
MINUTES_OF_HOUR: Final = HOUR_S // MINUTE_S
MINUTES_OF_DAY: Final = DAY_S // MINUTE_S
LOOK_BACK_S: Final = 7 * DAY_S
"""How far before the asked time first and last sight of an edge are looked for."""

OPEN_END_US: Final = 2**62
"""The end of what has no end yet."""
NOBODY: Final = UUID(int=0)
"""The cluster of what is in none, in the store."""

MEASURES: Final = (
    "bytes_tx",
    "bytes_rx",
    "packets_tx",
    "packets_rx",
    "connections_opened",
    "connections_closed",
    "failures_refused",
    "failures_timeout",
    "failures_other",
    "rtt_us_sum",
    "rtt_count",
    "retransmits",
)
"""In the order of the bits that say which of a row's measures are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEnd:
    """A workload, a service or node, or an address that nobody is known for; of a coarser level parts are empty."""

    registration_id: UUID | None
    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfBatch:
    """The rows of one batch whose windows start on one UTC day: what the inbox keeps as a row."""

    day: int
    """Days since 1970."""
    rows: int
    first_window: int
    last_window: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HourOfBatch:
    """What a batch says of one UTC hour that its window touches."""

    hour: int
    minutes: int
    """A bit for each minute of the hour that the batch's window covers."""
    last_window: int
    rows: int
    sampling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRows:
    """A batch as the applier prepared it."""

    days: tuple[DayOfBatch, ...]
    hours: tuple[HourOfBatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row of the inbox that is in no block yet."""

    id: UUID
    inbox: int
    day: int
    rows: int
    first_window: int
    last_window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A row of the inbox with its rows, for a block."""

    id: UUID
    registration_id: UUID
    epoch: UUID
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows of the inbox that enter the store together."""

    id: int
    rows: int
    first_window: int
    last_window: int
    members: tuple[UUID, ...]
    attempt: int = 0

    @property
    def token(self) -> str:
        """What the store knows an insert of it by. Each attempt that follows a lost one has another."""
        return f"{self.id}/{self.attempt}" if self.attempt else str(self.id)

    @property
    def hours(self) -> range:
        """The hours in which its rows may lie."""
        return range(self.first_window // HOUR_S * HOUR_S, self.last_window + 1, HOUR_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTwice:
    """A block that is not known, of which other blocks have batches; `is_all`: all of them. Times are of these."""

    id: int
    first_window: int
    last_window: int
    is_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyHour:
    """An hour whose edges are not those of its rows and identities, which have these versions."""

    hour: int
    raw_version: int
    identity_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyDay:
    """A UTC day whose edges are not those of its hours, which have this version."""

    start: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Those from `first` to `until`, in seconds."""

    first: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span(Hours):
    """Hours whose edges the store has added up, and where."""

    place: int
    """The partition, and when its rows say that they are: in the first of its hours."""
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysAnswer:
    """Up to when edges are asked of days: times before `needed_until` have to be, those before `made_until` can be."""

    needed_until: int
    made_until: int
    spans: tuple[Span, ...]
    """Those that can be asked instead of their hours."""


def spans_of(found: Sequence[Sequence[int]] | None) -> tuple[Span, ...]:
    """Of place, first, until and rows of each."""
    names = ("place", "first", "until", "rows")
    return tuple(Span(**dict(zip(names, each, strict=True))) for each in found or ())


def spans_wanted(now_s: int) -> list[Hours]:
    """What a question about the last day is made of but for the hour that goes on, and soon of what it will be made.

    The day, and the week before it, in which first and last sight are looked for. An hour ahead is prepared so that
    nobody has to wait when the hour turns; of the day then one hour is missing.
    """
    hour = now_s // HOUR_S * HOUR_S
    day, next_day = hour - DAY_S, hour + HOUR_S - DAY_S
    found = [Hours(first=day, until=hour), Hours(first=day - LOOK_BACK_S, until=day)]
    if now_s - hour >= HOUR_S // 2:
        found += [Hours(first=next_day, until=hour), Hours(first=next_day - LOOK_BACK_S, until=next_day)]
    return found


def day_of(time_s: int) -> int:
    """When its UTC day began, in seconds."""
    return time_s // DAY_S * DAY_S


def grouped(waiting: list[Waiting], most_rows: int) -> list[list[Waiting]]:
    """What waits, in the blocks that it goes into.

    Each is of one day, so that it is all or nothing in the store, and of one inbox, which is emptied at once.
    """
    blocks: list[list[Waiting]] = []
    rows = 0
    for each in sorted(waiting, key=lambda each: (each.inbox, each.day, each.id)):
        if not blocks or _place(blocks[-1][0]) != _place(each) or rows + each.rows > most_rows:
            blocks.append([])
            rows = 0
        blocks[-1].append(each)
        rows += each.rows
    return blocks


def _place(each: Waiting) -> tuple[int, int]:
    return each.inbox, each.day


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlace:
    """In which network domain a cluster was."""

    registration_id: UUID
    domain_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Where clusters were, and which pairs of domains are connected: flat, or through NAT."""

    clusters: tuple[ClusterPlace, ...]
    flat: frozenset[tuple[UUID, UUID]]
    nat: frozenset[tuple[UUID, UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedHour:
    """An hour whose rows find their ends in the store by number."""

    hour: int
    salt: int
    """Of the hash by which they find them; 0 is a fast one without."""
    rules: int
    """What the number of a rule is raised by where a row is about something behind a port."""
    measures: tuple[str, ...]
    """Those that any of its rows knows."""
    has_hosts: bool
    """Whether any of its rows has a host, so that ends are found by these, too."""

    @property
    def given(self) -> dict[str, int]:
        """Parameters of the statements about it."""
        return {"hour": self.hour, "salt": self.salt, "rules": self.rules}
