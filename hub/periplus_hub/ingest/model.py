"""A batch on its way through the door. Pure values."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import pyarrow as pa

from periplus_contract.batch import Header, PartMark, Section
from periplus_contract.rejections import HARMLESS, Reason
from periplus_hub.fleet.model import SpokePrincipal

MAX_SAMPLE_ROWS: Final = 5
_STANDBYS: Final = re.compile(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Rows of one table set aside for one reason, with the first few as text."""

    table: str
    reason: str
    rows: int
    sample: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBatch:
    """A batch whose header was checked and whose body was not looked at yet."""

    principal: SpokePrincipal
    header: Header
    epoch: UUID
    body: memoryview
    sha256: str
    """What tells it from any other under the same key."""
    sealed_bytes: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPart:
    """A part of a statement as it came, while it waits for the last one."""

    sections: tuple[Section, ...]
    inflated_bytes: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchKey:
    """A batch's key, known before anything of it is looked at. A heartbeat stands at seq 0, where no batch is."""

    sender_id: UUID
    is_agent: bool
    """Whether the sender is an agent of a node, else it is the registration of a cluster."""
    epoch: UUID
    seq: int
    oldest_held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierParts:
    """Where the parts of a statement stand that a batch needs before it: at [`first_seq`, `before_seq`)."""

    registration_id: UUID
    epoch: UUID
    first_seq: int
    before_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBatch:
    """What appliers get. `tables` hold only columns of the contract, of exactly its types, every row valid.

    `sections` names what the batch carried, also those whose every row was rejected, and what it covers: what was
    emptied needs no rows. `covers` are the header's, where its kind is ordered by them without those of which
    something newer was applied. `prepared` is whatever the kind's applier made of it in the worker thread.
    """

    principal: SpokePrincipal
    header: Header
    epoch: UUID
    sections: frozenset[str]
    covers: frozenset[str]
    tables: dict[str, pa.Table]
    rejected: tuple[Rejected, ...]
    sha256: str
    sealed_bytes: int
    received_at: datetime
    prepared: object = None
    earlier_parts: int = 0
    """How many parts before it its tables include."""
    earlier_rejected: tuple[Rejected, ...] = ()
    """What was set aside of those parts, and counted when they came."""
    part_body: bytes = b""
    """The compressed body of a part that waits for the last one; that one has the rows of all."""

    @property
    def registration_id(self) -> UUID:
        """The cluster whose it is, whoever sent it."""
        return self.principal.registration_id

    @property
    def sender_id(self) -> UUID:
        """Who numbered it: the cluster's spoke, or an agent of one of its nodes."""
        return self.principal.sender_id

    @property
    def key(self) -> BatchKey:
        """Its key in the ledger."""
        return key_of(self.principal, self.epoch, self.header.seq, self.header.oldest_held_seq)

    def rows_missed(self, table: str) -> int:
        """Rows of a table that were set aside of all its statement, but for those without which nothing is missing."""
        every = (*self.earlier_rejected, *self.rejected)
        return sum(entry.rows for entry in every if entry.table == table and entry.reason not in HARMLESS)

    @property
    def is_set_aside(self) -> bool:
        """The whole of it: its window lies in the future."""
        return any(entry.reason == Reason.CLOCK_AHEAD for entry in self.rejected)

    @property
    def rejected_rows(self) -> int:
        """All rows set aside, over tables and reasons."""
        return sum(entry.rows for entry in self.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What listeners hear once a batch is durable."""

    tenant_id: UUID
    registration_id: UUID
    kind: str
    sections: frozenset[str]
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentBatch:
    """What the ledger knows of it: which life of an outbox made it, for which time, and when it was here."""

    epoch: UUID
    window_start_s: int
    received_at: datetime


def key_of(principal: SpokePrincipal, epoch: UUID, seq: int, oldest_held: int) -> BatchKey:
    """Of a batch or heartbeat of this sender."""
    is_agent = principal.agent_id is not None
    return BatchKey(sender_id=principal.sender_id, is_agent=is_agent, epoch=epoch, seq=seq, oldest_held=oldest_held)


def is_last(mark: PartMark) -> bool:
    """Whether the part completes its statement."""
    return mark.part == mark.parts


def parts_before(batch: SealedBatch | DecodedBatch, mark: PartMark) -> EarlierParts:
    """The rest of its statement: parts have consecutive seqs."""
    return EarlierParts(
        registration_id=batch.principal.registration_id,
        epoch=batch.epoch,
        first_seq=batch.header.seq - (mark.part - 1),
        before_seq=batch.header.seq,
    )


def counts_by_reason(rejected: tuple[Rejected, ...]) -> dict[str, int]:
    """As answers carry it."""
    counts: Counter[str] = Counter()
    for entry in rejected:
        counts[entry.reason] += entry.rows
    return dict(counts)


def section_names(sections: tuple[Section, ...], covers: tuple[str, ...] = ()) -> frozenset[str]:
    """The tables a header names, as sections or as covered."""
    return frozenset((*(section.table for section in sections), *(each.partition("/")[0] for each in covers)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """Positions are those of the log of one `history`; in another the same number means something else."""

    history: str
    """The server, its timeline and since when it runs: another one after a failover, and after a restore of any kind,
    also of its volume, which leaves the timeline as it was."""
    written: int
    """Whatever was visible when this was asked is in the log before here."""
    synchronous: bool
    """Whether there are to be synchronous standbys."""
    seen: bool
    """Whether the server tells us how far they are."""
    flushed: int | None
    """How far the log is on the disks of as many of them as there have to be; None while they are too few."""


def standbys_needed(names: str) -> int:
    """How many standbys a commit waits for by the setting `synchronous_standby_names`."""
    if not names.strip():
        return 0
    count = _STANDBYS.match(names)
    return int(count[1]) if count else 1
