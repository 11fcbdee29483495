"""What the outbox holds, and how a held batch is named on disk. Pure."""

import re
from enum import Enum
from sys import intern
from typing import Final, Literal, NamedTuple

import msgspec

from periplus_contract.batch import FlowsMark, Header, InventoryMark, Mark, PartMark, Section, is_epoch
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind

HOUR_S: Final = 3600
BATCH_SUFFIX: Final = ".batch"
BAD_SUFFIX: Final = ".bad"
DEAD_SUFFIX: Final = ".dead"
_NAME: Final = re.compile(
    r"(?P<epoch>[0-9a-f-]{36})"
    r"\.(?P<seq>[0-9]{12})\.(?P<kind>[a-z]+)\.(?P<start>0|[1-9][0-9]{0,9})\.(?P<rows>0|[1-9][0-9]{0,4})"
    r"(?P<suffix>\.batch|\.bad|\.dead)"
)
"""Only what an outbox may have given: an epoch with room for later ones, numbers that may be counted with."""
WINDOWED: Final = frozenset({Kind.FLOWS, Kind.DNS, Kind.EVENTS})
"""Kinds whose batches stand alone: any order will do, the newest is the most wanted."""
FOLDABLE: Final = frozenset({Kind.FLOWS, Kind.DNS})
_ALLOCATIONS: Final = "allocations/"


class BatchId(NamedTuple):
    """Identity within a registration. Sorts in the order of sealing."""

    epoch: str
    seq: int


class FileName(NamedTuple):
    """A file's name says enough to account for its rows when its content is lost."""

    id: BatchId
    kind: Kind
    window_start_s: int
    rows: int

    def text(self, suffix: str = BATCH_SUFFIX) -> str:
        """The name on disk; names of one epoch sort by seq."""
        return f"{self.id.epoch}.{self.id.seq:012d}.{self.kind}.{self.window_start_s}.{self.rows}{suffix}"

    @classmethod
    def parse(cls, name: str) -> tuple["FileName", str] | None:
        """The parts and the suffix, or None when this is no file of ours."""
        match = _NAME.fullmatch(name)
        if match is None or match["kind"] not in set(Kind) or not is_epoch(match["epoch"]):
            return None
        identity = BatchId(match["epoch"], int(match["seq"]))
        return cls(identity, Kind(match["kind"]), int(match["start"]), int(match["rows"])), match["suffix"]


class Status(Enum):
    """Where a held batch stands with the hub."""

    QUEUED = "queued"
    IN_FLIGHT = "in-flight"
    ACCEPTED = "accepted"
    """Committed by the hub but not settled: kept, because a failover may still lose it there."""
    FOREIGN = "foreign"
    """Of an earlier registration, or of a number another writer used: sealed again before it is sent."""
    UNCUT = "uncut"
    """Too large for the hub, and the disk took no halves: cut before it is sent."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An encoded batch without identity."""

    kind: Kind
    window_start_s: int
    window_s: int
    rows: int
    sections: tuple[Section, ...]
    inflated_bytes: int
    body: bytes
    mode: Literal["snapshot", "delta"] | None = None
    part: int = 1
    parts: int = 1
    covers: tuple[str, ...] = ()
    flows: FlowsMark | None = None

    @classmethod
    def of(cls, header: Header, body: memoryview) -> "Draft":
        """A whole batch that is to be sealed again."""
        return cls(
            kind=header.kind,
            window_start_s=header.window_start_s,
            window_s=header.window_s,
            rows=header.rows,
            sections=header.sections,
            inflated_bytes=header.inflated_bytes,
            body=bytes(body),
            covers=header.covers,
            flows=header.flows,
        )

    @property
    def is_part(self) -> bool:
        """Whether it is one of several batches that make one ipam statement."""
        return self.kind is Kind.IPAM and self.parts > 1

    @property
    def own_mark(self) -> PartMark | FlowsMark | None:
        """What its kind adds to the header, whatever stands before it; of inventory the chain knows that."""
        return PartMark(part=self.part, parts=self.parts) if self.is_part else self.flows


class Opened(NamedTuple):
    """A held batch, read and checked."""

    header: Header
    body: memoryview
    sealed: bytes


class Entry(msgspec.Struct, kw_only=True):
    """One held batch, without its bytes unless it is only in memory."""

    name: FileName
    size: int
    outcomes: tuple[Outcome, ...]
    covers: tuple[str, ...]
    mark: Mark | None = None
    """What its kind added to the header."""
    window_s: int = 0
    status: Status = Status.QUEUED
    accepted_at_us: int | None = None
    """When the hub last said that it has it; what it says it lost was never accepted."""
    in_doubt: bool = True
    """It may have reached the hub without our knowing: dropping it could count its rows twice."""
    in_memory: bytes | None = None
    has_name: bool = True
    """Its name may be on disk: also when only in memory, after a write that failed half-way."""

    @property
    def id(self) -> BatchId:
        """(epoch, seq)."""
        return self.name.id

    @property
    def kind(self) -> Kind:
        """The batch's kind."""
        return self.name.kind

    @property
    def hour_start_s(self) -> int:
        """The UTC hour its rows are accounted under."""
        return hour_of(self.name.window_start_s)

    @property
    def statement(self) -> BatchId:
        """The first batch of the ipam statement this one is a part of: itself, when that is whole."""
        return BatchId(self.id.epoch, self.id.seq - (self.mark.part - 1 if isinstance(self.mark, PartMark) else 0))

    @property
    def is_part(self) -> bool:
        """Whether it is one of several batches that make one ipam statement."""
        return isinstance(self.mark, PartMark)

    @property
    def has_allocations(self) -> bool:
        """Whether it states allocations, which nothing else tells again before they change."""
        return any(cover.startswith(_ALLOCATIONS) for cover in self.covers)

    @property
    def starts_snapshot(self) -> bool:
        """Whether an inventory chain starts here."""
        return isinstance(self.mark, InventoryMark) and self.mark.mode == "snapshot" and self.mark.part == 1

    @classmethod
    def of(cls, header: Header, size: int, in_memory: bytes | None = None) -> "Entry":
        """The entry for a sealed batch of `size` bytes."""
        return cls(
            name=FileName(BatchId(header.epoch, header.seq), header.kind, header.window_start_s, header.rows),
            size=size,
            outcomes=header.outcomes,
            covers=tuple(map(intern, header.covers)),
            mark=header.mark,
            window_s=header.window_s,
            in_memory=in_memory,
        )


def hour_of(second: int) -> int:
    """Start of the UTC hour `second` lies in."""
    return second - second % HOUR_S
