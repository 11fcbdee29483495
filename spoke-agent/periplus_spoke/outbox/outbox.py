"""The outbox: takes drafts, offers batches to send, and applies what the hub said about them.

Synchronous and single-threaded; `thread.py` gives it a thread of its own. A batch whose `seal` has returned is on disk
(or, while the disk refuses, in memory with a condition that says so) and leaves only by being settled, or by one of
the counted ways below.
"""

import errno
import logging
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Final

from periplus_contract.batch import DamagedBatchError, PartMark, unseal
from periplus_contract.tables import Kind
from periplus_spoke.kit.clock import Clock
from periplus_spoke.outbox import figures, planning
from periplus_spoke.outbox.accounts import Hour, Total
from periplus_spoke.outbox.filesystem import FileSystem
from periplus_spoke.outbox.holdings import Holdings
from periplus_spoke.outbox.model import BAD_SUFFIX, DEAD_SUFFIX, BatchId, Draft, Entry, Opened, Status
from periplus_spoke.outbox.planning import Lane, Policy, Step
from periplus_spoke.outbox.sealed_chain import SealedChain

_HEADER_ALLOWANCE: Final = 1024
_HEADROOM: Final = 32
"""Room is made for a further 1/32 of the limits, so that not every seal on a full outbox has to make some."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
"""Errors of this process or machine, not of the file."""

_log: Final = logging.getLogger(__name__)


_DEFAULT: Final = Policy()


class Outbox:
    """One registration's held batches."""

    def __init__(
        self, files: FileSystem, clock: Clock, rng: random.Random, registration: str, policy: Policy = _DEFAULT
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._chain = SealedChain()
        self._held = Holdings(files, clock, rng, registration)
        self.snapshot_needed = False
        """Queued inventory was let go of: whoever reads this asks for a fresh snapshot and clears it."""
        self._adopt()

    # ---- sealing

    def seal_all(self, drafts: Sequence[Draft]) -> None:
        """Seal drafts one after the other; parts of a snapshot get consecutive numbers.

        Every row is held on return, or dropped and counted: inventory that connects to nothing (a fresh snapshot is
        then needed), and what does not fit although everything else made room.
        """
        before = next(reversed(self._held.entries), None)
        for draft in drafts:
            self._seal(draft)
        last = drafts[-1]
        # Only once the snapshot is sealed whole: until then what it replaces is all that would reach the hub.
        if last.mode == "snapshot" and self._chain.complete and before is not None:
            self._drop_certain(entry for entry in self._queued_inventory() if entry.id <= before)

    def refuse_all(self, drafts: Sequence[Draft], reason: str) -> None:
        """Account for one observation that cannot be told."""
        for draft in drafts:
            self._held.refuse_draft(draft, reason)

    def _seal(self, draft: Draft) -> None:
        # Room first: making it may let the chain or earlier parts go, which decides whether this draft still connects.
        size = len(draft.body) + _HEADER_ALLOWANCE
        if not self._make_room(size):
            self._refuse(draft, "outbox_full")
            return
        if not self._connects(draft):
            self._refuse(draft, "replaced_by_snapshot")
            return
        self._add(draft)

    def _connects(self, draft: Draft) -> bool:
        """Whether the hub will find the base of this inventory, or the parts before this part, in front of it."""
        if draft.kind is Kind.INVENTORY:
            return self._chain.allows(draft)
        if not draft.is_part or draft.part == 1:
            return True
        before = self._held.entries.get(BatchId(self._held.epoch, self._held.high_water))
        return before is not None and before.mark == PartMark(part=draft.part - 1, parts=draft.parts)

    def _add(self, draft: Draft) -> None:
        inventory = draft.kind is Kind.INVENTORY
        try:
            entry = self._held.add(draft, self._chain.mark(draft) if inventory else draft.own_mark)
        except ValueError:
            _log.exception("a batch exceeds the wire's limits", extra={"kind": draft.kind.value, "rows": draft.rows})
            self._refuse(draft, "too_large")
            return
        if inventory:
            self._chain.sealed(draft, entry.id.seq)

    def _refuse(self, draft: Draft, reason: str) -> None:
        self._held.refuse_draft(draft, reason)
        if draft.kind is Kind.INVENTORY:
            self._break_chain()
        elif draft.is_part:
            self.snapshot_needed = True

    def _break_chain(self) -> None:
        self._chain.break_off()
        self.snapshot_needed = True

    def _make_room(self, size: int) -> bool:
        while True:
            entries = self._held.ordered
            limit = self._policy.max_bytes
            # Files that go make no room while the disk takes no writes, so only memory counts then.
            if self._held.store.refusal:
                entries = [entry for entry in entries if entry.in_memory is not None]
                limit = self._policy.max_memory_bytes
            excess_bytes = sum(entry.size for entry in entries) + size - limit
            excess_files = len(entries) + 1 - self._policy.max_files
            if excess_bytes <= 0 and excess_files <= 0:
                return True
            step = planning.relief(
                entries,
                excess_bytes + limit // _HEADROOM,
                excess_files + self._policy.max_files // _HEADROOM,
                can_fold=self._policy.fold is not None,
            )
            if step is None or size > limit:
                return False
            self._relieve(step)

    def _relieve(self, relief: planning.Relief) -> None:
        batches = self._of(relief.ids)
        match relief.step:
            case Step.RELEASE:
                self._held.release(batches)
            case Step.FOLD:
                self._fold_windows(batches)
            case Step.RESNAPSHOT:
                self._drop_inventory(batches)
                # A whole snapshot that is still queued makes up for what went; otherwise one has to be asked for.
                if not any(entry.starts_snapshot for entry in self._queued_inventory()):
                    self._break_chain()
            case Step.DROP | Step.SUPERSEDE:
                self._held.release(batches, "outbox_full")
                if relief.step is Step.DROP and any(entry.has_allocations or entry.is_part for entry in batches):
                    self.snapshot_needed = True
        _log.warning("the outbox is full", extra={"step": relief.step.value, "batches": len(batches)})

    def _fold_windows(self, batches: Sequence[Entry]) -> None:
        opened = [(entry, self._open(entry)) for entry in batches]
        whole = [(entry, batch) for entry, batch in opened if batch is not None]
        fold = self._policy.fold
        # Reading may have set damaged ones aside, so only those that are whole are exchanged for their sum.
        draft = fold([batch for _, batch in whole]) if fold and whole else None
        if draft is None or not self._held.exchange([entry for entry, _ in whole], (draft,)):
            self._held.release([entry for entry in batches if entry.id in self._held.entries], "outbox_full")

    # ---- sending

    def next(self, lane: Lane, withheld: Collection[Kind] = ()) -> BatchId | None:
        """The batch `lane` sends now; it is in flight until `put_back`, `accept` or another verdict."""
        entry = planning.choose(self._held.ordered, lane, withheld)
        if entry is None:
            return None
        entry.status = Status.IN_FLIGHT
        # From here on the hub may have it, whether or not its answer arrives.
        entry.in_doubt = True
        return entry.id

    def read(self, identity: BatchId) -> Opened | None:
        """The exact bytes to send. None when the batch is gone, damaged (set aside and counted), or unreadable now."""
        entry = self._held.entries.get(identity)
        return self._open(entry) if entry is not None else None

    def _open(self, entry: Entry) -> Opened | None:
        name = entry.name.text()
        try:
            sealed = entry.in_memory if entry.in_memory is not None else self._held.store.read(name)
            header, body = unseal(sealed)
        except (OSError, DamagedBatchError) as error:
            if isinstance(error, OSError) and error.errno in _EXHAUSTED:
                return None
            _log.exception("a batch cannot be read and is set aside", extra={"file": name})
            self._lose(entry, "damaged_file", BAD_SUFFIX)
            return None
        return Opened(header, body, sealed)

    def is_held(self, identity: BatchId) -> bool:
        """Whether it is still here, readable or not."""
        return identity in self._held.entries

    def put_back(self, identity: BatchId) -> None:
        """No verdict: the same bytes are sent again later."""
        entry = self._held.entries.get(identity)
        if entry is not None and entry.status is Status.IN_FLIGHT:
            entry.status = Status.QUEUED

    def accept(self, identity: BatchId) -> None:
        """The hub committed the batch; it stays until settled."""
        entry = self._held.entries.get(identity)
        if entry is not None:
            entry.status = Status.ACCEPTED
            entry.accepted_at_us = self._clock.monotonic_us()

    def settle(self, epoch: str, through: int) -> int:
        """Let go of accepted batches up to `through`; the number of them.

        Only batches whose acceptance we were told of go: a watermark beyond them, or of an epoch we do not have,
        deletes nothing.
        """
        # Entries are in the order of sealing, so within an epoch their numbers only grow and the first later one ends
        # the run.
        mine = (identity for identity in self._held.entries if identity.epoch == epoch)
        covered = self._of(takewhile(lambda identity: identity.seq <= through, mine))
        done = [entry for entry in covered if entry.status is Status.ACCEPTED]
        if done:
            self._held.release(done)
        return len(done)

    def is_known_to_hub(self, identity: BatchId) -> bool:
        """Whether the hub has said that it has this batch, and nothing since has put that in doubt."""
        entry = self._held.entries.get(identity)
        return entry is not None and entry.accepted_at_us is not None

    def requeue_accepted(self) -> int:
        """Offer every batch again that was accepted and never settled; duplicates do no harm."""
        lost = [entry for entry in self._held.ordered if entry.status is Status.ACCEPTED]
        for entry in lost:
            entry.status, entry.accepted_at_us = Status.QUEUED, None
        return len(lost)

    def ask_for_accepted(self, older_than_s: int) -> bool:
        """Offer the oldest batch again that was accepted so long ago and never settled: the answer says what it is."""
        latest = self._clock.monotonic_us() - older_than_s * 1_000_000
        for entry in self._held.entries.values():
            if entry.status is Status.ACCEPTED and entry.accepted_at_us is not None and entry.accepted_at_us <= latest:
                # `accepted_at_us` stays: a hub that takes it for new and not for a duplicate had lost it.
                entry.status = Status.QUEUED
                return True
        return False

    # ---- verdicts

    def dead_letter(self, identity: BatchId, reason: str = "dead_letter") -> None:
        """The hub will never take this batch: set it aside, count it, go on."""
        entry = self._held.entries.get(identity)
        if entry is not None:
            self._lose(entry, reason, DEAD_SUFFIX)

    def _lose(self, entry: Entry, reason: str, suffix: str) -> None:
        self._held.release((entry,), reason, aside=suffix)
        if entry.kind is Kind.INVENTORY:
            self._replace_inventory(entry.id)
        elif entry.has_allocations or entry.is_part:
            self.snapshot_needed = True

    def resnapshot(self, identity: BatchId) -> None:
        """The hub cannot place this batch: go on with the next whole picture, queued already or still to come."""
        entry = self._refused(identity)
        if entry is None:
            return
        match entry.kind:
            case Kind.INVENTORY:
                self._replace_inventory(identity)
            case Kind.IPAM:
                self._drop_statement(entry)
            case _:
                self._lose(entry, "dead_letter", DEAD_SUFFIX)

    def _drop_statement(self, entry: Entry) -> None:
        """Parts are worth nothing without the others: everything is stated again."""
        self._held.release([e for e in self._held.ordered if e.statement == entry.statement], "replaced_by_snapshot")
        self.snapshot_needed = True

    def _refused(self, identity: BatchId) -> Entry | None:
        """The batch, which now certainly is not in the hub's ledger."""
        entry = self._held.entries.get(identity)
        if entry is not None:
            entry.status = Status.QUEUED
            entry.in_doubt = False
        return entry

    def _replace_inventory(self, failed: BatchId) -> None:
        # Asked before anything is dropped: whether a later snapshot is queued decides if one has to be made.
        queued = self._queued_inventory()
        self._drop_certain(self._of(planning.replaceable_inventory(queued, failed)))
        if not any(entry.starts_snapshot and entry.id > failed for entry in queued):
            self._break_chain()

    def _queued_inventory(self) -> list[Entry]:
        return [e for e in self._held.ordered if e.kind is Kind.INVENTORY and e.status is Status.QUEUED]

    def _drop_certain(self, batches: Iterable[Entry]) -> None:
        """Those in doubt are offered once more, and the hub's answer decides."""
        self._drop_inventory([entry for entry in batches if not entry.in_doubt])

    def _drop_inventory(self, batches: Sequence[Entry]) -> None:
        if batches:
            self._held.release(batches, "replaced_by_snapshot")

    def conflict(self, identity: BatchId) -> None:
        """Another writer used this identity: its place in the numbering is lost, its rows are not.

        They are sealed again under the current epoch; when the conflict is there, under a new one that starts with
        a snapshot.
        """
        entry = self._refused(identity)
        if entry is None:
            return
        if identity.epoch == self._held.epoch:
            self._held.start_epoch()
            self._break_chain()
        self._drop_certain(queued for queued in self._queued_inventory() if queued.id.epoch == identity.epoch)
        if entry.kind is not Kind.INVENTORY:
            self._seal_again(entry)

    def overtake(self, epoch: str) -> bool:
        """Start an epoch later than this one, with a snapshot; False when ours is that already."""
        if epoch <= self._held.epoch:
            return False
        self._held.start_epoch(epoch)
        self._drop_certain(self._queued_inventory())
        self._break_chain()
        return True

    def split(self, identity: BatchId, halves: Sequence[Draft]) -> None:
        """Put halves in the place of a batch that is too large for the hub. While the disk refuses them, it waits."""
        entry = self._refused(identity)
        if entry is not None and not self._held.exchange((entry,), halves):
            entry.status = Status.UNCUT

    def uncut(self) -> tuple[BatchId, ...]:
        """What waits for its `split`, once the disk takes that."""
        waiting = [] if self._held.store.refusal else self._held.ordered
        return tuple(entry.id for entry in waiting if entry.status is Status.UNCUT)

    def _adopt(self) -> None:
        """Seal again what has no identity of ours; while the disk refuses that, it waits.

        Not inventory, nor what a later ipam statement says again: those are told afresh.
        """
        if self._held.store.refusal:
            return
        foreign = [entry for entry in self._held.ordered if entry.status is Status.FOREIGN]
        again = set(planning.superseded_ipam(foreign))
        self._drop_inventory([e for e in foreign if e.kind is Kind.INVENTORY or e.id in again])
        for entry in foreign:
            if entry.id in self._held.entries:
                self._seal_again(entry)

    def _seal_again(self, entry: Entry) -> None:
        """Under a number of its own. A part would not be one there."""
        if entry.is_part:
            self._drop_statement(entry)
            return
        # First, so that `_adopt` finds it again where the disk refuses the exchange.
        entry.status = Status.FOREIGN
        opened = self._open(entry)
        if opened is not None:
            self._held.exchange((entry,), (Draft.of(opened.header, opened.body),))

    # ---- upkeep

    def recover_disk(self) -> bool:
        """While the disk refuses: try it again. True when everything held is on disk."""
        recovered = not self._held.store.refusal or self._held.persist_memory()
        self._adopt()
        return recovered

    def depth(self) -> figures.Depth:
        """Figures of now."""
        return figures.depth(self._held)

    def held(self) -> tuple[BatchId, ...]:
        """Everything held, in the order of sealing."""
        return tuple(self._held.entries)

    def accounts(self) -> Mapping[Hour, tuple[Total, int]]:
        """Per kind and hour: what came and went, and the rows still queued."""
        return figures.accounts(self._held)

    def _of(self, ids: Iterable[BatchId]) -> list[Entry]:
        return [self._held.entries[identity] for identity in ids]
