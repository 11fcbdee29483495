"""What to send next and what to let go of when the outbox is full. Pure: entries in, decisions out.

Entries always come in the order of sealing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from typing import Final, NamedTuple, Protocol

import msgspec

from periplus_contract.tables import Kind
from periplus_spoke.outbox.model import FOLDABLE, HOUR_S, WINDOWED, BatchId, Draft, Entry, Opened, Status

FOLD: Final = 5
"""How many windows become one; a minute's five minutes still divide an hour, for which rows are accounted."""
LARGEST_WINDOW_S: Final = 300
"""A window this long or longer is not folded again."""


class Lane(Enum):
    """Two requests are in flight at most, one per lane."""

    FRESH = "fresh"
    """The newest window, so an outage's backlog does not delay what is happening now."""
    BACKLOG = "backlog"
    """Oldest first."""


class Step(Enum):
    """Ways to make room, gentlest first."""

    RELEASE = "release"
    """Our copy of batches the hub has committed, though not settled."""
    SUPERSEDE = "supersede"
    """Older ipam batches: each states everything again, only the last matter."""
    FOLD = "fold"
    """Several windows into one coarser window: sums stay, time blurs."""
    DROP = "drop"
    """Rows are lost and counted."""
    RESNAPSHOT = "resnapshot"
    """Queued inventory, which a fresh snapshot replaces."""


class FoldWindows(Protocol):
    """Adds several windows of one kind up into one coarser window of the same hour."""

    def __call__(self, batches: Sequence[Opened]) -> Draft | None:
        """The coarser window, or None when these cannot be folded."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of what is held, and how windows are folded when they are reached."""

    max_bytes: int = 512 * 1024 * 1024
    max_files: int = 20_000
    max_memory_bytes: int = 64 * 1024 * 1024
    fold: FoldWindows | None = None


class Relief(NamedTuple):
    """One step and the batches it takes."""

    step: Step
    ids: tuple[BatchId, ...]


def choose(entries: Iterable[Entry], lane: Lane, withheld: Collection[Kind] = ()) -> Entry | None:
    """The batch this lane sends now. Inventory and ipam go strictly in order, one of each at a time."""
    if lane is Lane.BACKLOG:
        return next(_sendable(entries, withheld), None)
    sendable = list(_sendable(entries, withheld))
    # Without windows this lane takes ipam, which then does not wait behind the inventory in the backlog.
    newest = max((entry for entry in sendable if entry.name.kind in WINDOWED), key=_freshness, default=None)
    return newest or next((entry for entry in sendable if entry.name.kind is Kind.IPAM), None)


def _sendable(entries: Iterable[Entry], withheld: Collection[Kind]) -> Iterator[Entry]:
    entries = list(entries)
    in_flight = {entry.kind for entry in entries if entry.status is Status.IN_FLIGHT}
    # One at a time: were two links of a chain in flight, the second could arrive first and be refused for a gap that
    # there is not.
    waiting = (in_flight - WINDOWED).union(withheld)
    return (entry for entry in entries if entry.status is Status.QUEUED and entry.name.kind not in waiting)


def _freshness(entry: Entry) -> tuple[int, BatchId]:
    name = entry.name
    return name.window_start_s, name.id


def relief(entries: Sequence[Entry], missing_bytes: int, missing_files: int, *, can_fold: bool) -> Relief | None:
    """The gentlest step that makes room, or None when nothing held may go.

    Batches in flight always stay, and those in doubt go last.
    """
    queued = [entry for entry in entries if entry.status not in (Status.IN_FLIGHT, Status.ACCEPTED)]
    # What is in doubt may be in the hub's ledger already. Dropped here, its rows would be settled there and dropped
    # here, and the sum of the outcomes would exceed what was collected.
    certain = [entry for entry in queued if not entry.in_doubt]
    accepted = (entry for entry in entries if entry.status is Status.ACCEPTED)
    steps: tuple[Callable[[], Relief], ...] = (
        # Our copy of these only guards against a failover, so it is the first to go and costs nobody a row.
        lambda: Relief(Step.RELEASE, _enough(accepted, missing_bytes, missing_files)),
        lambda: Relief(Step.SUPERSEDE, superseded_ipam(certain)),
        lambda: Relief(Step.FOLD, foldable(certain) if can_fold else ()),
        lambda: Relief(Step.DROP, _enough(_windowed(certain), missing_bytes, missing_files)),
        # Inventory after windows: a chain that is given up costs a whole snapshot, which needs room too.
        lambda: Relief(Step.RESNAPSHOT, replaceable_inventory(certain)),
        lambda: Relief(Step.DROP, _enough(_windowed(queued), missing_bytes, missing_files)),
        lambda: Relief(Step.RESNAPSHOT, replaceable_inventory(queued)),
        lambda: Relief(Step.DROP, tuple(entry.id for entry in queued if entry.kind is Kind.IPAM)),
    )
    return next((found for found in (step() for step in steps) if found.ids), None)


def _windowed(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if entry.kind in WINDOWED)


def superseded_ipam(queued: Iterable[Entry]) -> tuple[BatchId, ...]:
    """Ipam statements, with all their parts, that cover nothing of which a newer one is not queued."""
    batches = [entry for entry in queued if entry.kind is Kind.IPAM]
    newer: set[str] = set()
    superseded: set[BatchId] = set()
    # From the newest back: `newer` is what all later statements together cover.
    for statement, covers in reversed({entry.statement: entry.covers for entry in batches}.items()):
        if newer.issuperset(covers):
            superseded.add(statement)
        newer.update(covers)
    return tuple(entry.id for entry in batches if entry.statement in superseded)


def foldable(queued: Iterable[Entry]) -> tuple[BatchId, ...]:
    """The oldest batches of one kind that lie in one window of five times their length."""
    candidates = sorted(
        (entry for entry in queued if entry.kind in FOLDABLE and _has_coarser(entry.window_s)),
        key=_coarse,
    )
    for _, group in groupby(candidates, key=_coarse):
        batches = tuple(entry.id for entry in group)
        if len(batches) > 1:
            return batches
    return ()


def _has_coarser(window_s: int) -> bool:
    coarser_s = window_s * FOLD
    # One that does not divide the hour would move rows into another hour's account, which may then hold less than none.
    return 0 < coarser_s <= LARGEST_WINDOW_S and HOUR_S % coarser_s == 0


def _coarse(entry: Entry) -> tuple[int, str, int]:
    length = entry.window_s * FOLD
    return entry.name.window_start_s // length * length, entry.kind, entry.window_s


def replaceable_inventory(queued: Iterable[Entry], failed: BatchId | None = None) -> tuple[BatchId, ...]:
    """Queued inventory that a snapshot queued after `failed` replaces; without such a snapshot, all of it.

    `failed` is a batch that cannot be delivered, by default the oldest queued.
    """
    batches = [entry for entry in queued if entry.kind is Kind.INVENTORY]
    if not batches:
        return ()
    after = failed or batches[0].id
    starts = [index for index, entry in enumerate(batches) if entry.starts_snapshot and entry.id > after]
    return tuple(entry.id for entry in (batches[: starts[-1]] if starts else batches))


def _enough(entries: Iterable[Entry], missing_bytes: int, missing_files: int) -> tuple[BatchId, ...]:
    taken = []
    for entry in entries:
        if missing_bytes <= 0 and missing_files <= 0:
            break
        taken.append(entry.id)
        missing_bytes -= entry.size
        missing_files -= 1
    return tuple(taken)
