"""Everything held, with its books, kept in step with the disk.

Order of writes: the state announces, then files change. A seal stores the new high-water mark, then the file; a
release stores totals and the list of files to delete, then deletes; an exchange (split, fold, new registration)
stores the names of the new files as provisional, writes them, then commits by storing the old ones as to be deleted.
Whatever moment the process dies at, recovery reads the state and knows which half to keep.
"""

import logging
import random
from collections.abc import Sequence
from typing import Final

from periplus_contract.batch import Header, InventoryMark, PartMark, body_sha256, seal
from periplus_contract.limits import MAX_OUTCOMES
from periplus_contract.outcomes import Outcome
from periplus_contract.version import CONTRACT
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kit.crashpoint import crashpoint
from periplus_spoke.kit.ids import uuid7
from periplus_spoke.outbox.books import Books, Hour
from periplus_spoke.outbox.filesystem import FileSystem
from periplus_spoke.outbox.model import BAD_SUFFIX, BatchId, Draft, Entry, FileName, Status, hour_of
from periplus_spoke.outbox.recovery import Recovered, recover
from periplus_spoke.outbox.shelf import Shelf
from periplus_spoke.outbox.state import State

_SECOND_US: Final = 1_000_000

_log: Final = logging.getLogger(__name__)


class Holdings:
    """Held batches of one registration. Opening it recovers the folder; raises OSError when that cannot be listed."""

    def __init__(self, files: FileSystem, clock: Clock, rng: random.Random, registration: str) -> None:
        self._clock = clock
        self._rng = rng
        self._registration = registration
        self._provisional: tuple[str, ...] = ()
        self._epoch_in_memory = False
        self.shelf = Shelf(files)
        recovered = recover(files)
        state = recovered.state or State(registration=registration, epoch="")
        self.previous_registration = state.registration
        self.books = Books(state.totals, state.pending)
        self.entries: dict[BatchId, Entry] = {entry.id: entry for entry in recovered.entries}
        self.epoch = state.epoch
        self.high_water = state.high_water
        self._carried = state.carried
        self._open(recovered)

    def _open(self, recovered: Recovered) -> None:
        for entry in self.entries.values():
            self._recount(entry.name, told=bool(entry.outcomes))
            if self._is_new(entry.name):
                self.books.told(entry.outcomes)
        for name, damaged in recovered.damaged:
            self._recount(damaged, told=True)
            self.books.drop(hour_key(damaged), damaged.rows, "damaged_file")
            self.shelf.set_aside(name, damaged.text(BAD_SUFFIX))
        used = [identity.seq for identity in recovered.used if identity.epoch == self.epoch]
        self.high_water = self._carried = max([self.high_water, *used])
        if not self.epoch:
            self.epoch = self._mint([identity.epoch for identity in recovered.used])
        self.shelf.owe(recovered.leftovers)
        self.shelf.restore()
        self.save()
        self.shelf.pay()

    def _is_new(self, name: FileName) -> bool:
        return name.id.epoch == self.epoch and name.id.seq > self._carried

    def _recount(self, name: FileName, *, told: bool) -> None:
        if not self.epoch:
            self.books.found(hour_key(name), name.rows)
        elif told and self._is_new(name):
            self.books.collect(hour_key(name), name.rows)

    @property
    def ordered(self) -> list[Entry]:
        """Held batches in the order of sealing."""
        return list(self.entries.values())

    def save(self) -> bool:
        """Store the state; False when the disk refuses."""
        held = (hour_key(entry.name) for entry in self.entries.values())
        now_s = self._clock.wall_us() // _SECOND_US
        return self.shelf.save(
            State(
                registration=self._registration,
                epoch=self.epoch,
                high_water=self.high_water,
                carried=self._carried,
                pending=self.books.pending(),
                totals=self.books.stored(held, now_s),
                removing=self.shelf.owed,
                replacing=self._provisional,
            )
        )

    def start_epoch(self) -> None:
        """Count from 1 again under a later epoch; what is held keeps its own."""
        self.epoch = self._mint([self.epoch])
        self.high_water = self._carried = 0
        self._epoch_in_memory = bool(self.shelf.refusal) or not self.save()
        crashpoint("outbox_new_epoch_after_state")

    def _mint(self, known: Sequence[str]) -> str:
        return uuid7(self._clock.wall_us(), self._rng, after=max(known, default=""))

    def ready_epoch(self) -> bool:
        """Before sealing: numbers given out while the disk refuses belong to an epoch of their own.

        Otherwise a restart, which forgets them, would give them out again. True when a new epoch had to start.
        """
        if not self.shelf.refusal or self._epoch_in_memory:
            return False
        self.start_epoch()
        return True

    def add(self, draft: Draft, mark: InventoryMark | None) -> Entry | None:
        """Seal a draft under the next seq. None when the disk just refused: call `ready_epoch` and try again."""
        seq = self.high_water + 1
        hour = Hour(draft.kind, hour_of(draft.window_start_s))
        outcomes = self.books.owed(MAX_OUTCOMES, hour, draft.rows)
        header = self._header(draft, seq, mark, outcomes)
        sealed = seal(header, draft.body)
        self.high_water = seq
        entry = Entry.of(header, len(sealed), sealed if self.shelf.refusal else None)
        entry.in_doubt = False
        if entry.in_memory is None and not self._store(entry, sealed):
            return None
        self.books.collect(hour, draft.rows)
        self.books.told(outcomes)
        self._carried = seq
        self.entries[entry.id] = entry
        crashpoint("outbox_after_seal")
        return entry

    def _store(self, entry: Entry, sealed: bytes) -> bool:
        if not self.save():
            return False
        crashpoint("outbox_after_state")
        return self.shelf.put(entry.name.text(), sealed)

    def _header(self, draft: Draft, seq: int, mark: InventoryMark | None, outcomes: tuple[Outcome, ...]) -> Header:
        return Header(
            contract=str(CONTRACT),
            registration=self._registration,
            epoch=self.epoch,
            seq=seq,
            kind=draft.kind,
            window_start_s=draft.window_start_s,
            window_s=draft.window_s,
            rows=draft.rows,
            sections=draft.sections,
            inflated_bytes=draft.inflated_bytes,
            sha256=body_sha256(draft.body),
            sealed_at_us=self._clock.wall_us(),
            monotonic_us=self._clock.monotonic_us(),
            oldest_held_seq=self.oldest_held(self.epoch, seq),
            outcomes=outcomes,
            inventory=mark,
            ipam=PartMark(part=draft.part, parts=draft.parts) if draft.is_part else None,
            covers=draft.covers,
        )

    def oldest_held(self, epoch: str, default: int) -> int:
        """Lowest seq held of `epoch`."""
        return next((entry.id.seq for entry in self.entries.values() if entry.id.epoch == epoch), default)

    def release(self, batches: Sequence[Entry], reason: str = "", *, aside: str = "") -> None:
        """Let go of batches. Without a reason the hub has them; with one their rows are dropped and counted.

        `aside` is the suffix under which to keep the files for a person to look at.
        """
        for entry in batches:
            self._account(entry, reason)
            del self.entries[entry.id]
        on_disk = [entry for entry in batches if entry.in_memory is None]
        self.shelf.owe(entry.name.text() for entry in on_disk)
        stored = self.save()
        crashpoint("outbox_release_after_state")
        if aside:
            for entry in on_disk:
                self.shelf.set_aside(entry.name.text(), entry.name.text(aside))
        if stored:
            self.shelf.pay()

    def _account(self, entry: Entry, reason: str) -> None:
        hour = hour_key(entry.name)
        if not reason or entry.status is Status.ACCEPTED:
            self.books.settle(hour, entry.name.rows)
            return
        self.books.owe(entry.outcomes)
        self.books.drop(hour, entry.name.rows, reason)

    def refuse_draft(self, draft: Draft, reason: str) -> None:
        """Account for rows that never become a batch."""
        hour = Hour(draft.kind, hour_of(draft.window_start_s))
        self.books.collect(hour, draft.rows)
        self.books.drop(hour, draft.rows, reason)
        self.save()

    def exchange(self, old: Sequence[Entry], drafts: Sequence[Draft]) -> bool:
        """Put drafts in the place of batches the hub does not have; all or nothing, also across a crash.

        Rows that became fewer count as folded. False when the disk refuses: then nothing changed.
        """
        if self.shelf.refusal:
            return False
        untold = Books(pending=(outcome for entry in old for outcome in entry.outcomes))
        new = []
        for offset, draft in enumerate(drafts, start=1):
            # What the old headers were to tell goes with the new ones.
            outcomes = untold.owed(MAX_OUTCOMES)
            untold.told(outcomes)
            header = self._header(draft, self.high_water + offset, None, outcomes)
            sealed = seal(header, draft.body)
            entry = Entry.of(header, len(sealed))
            entry.in_doubt = False
            new.append((entry, sealed))
        self.high_water += len(new)
        self._provisional = tuple(entry.name.text() for entry, _ in new)
        written = self.save()
        crashpoint("outbox_replace_after_intent")
        written = written and all(self.shelf.put(entry.name.text(), sealed) for entry, sealed in new)
        crashpoint("outbox_replace_before_commit")
        provisional, self._provisional = self._provisional, ()
        if not written:
            self.shelf.owe(provisional)
            return False
        self.books.owe(untold.pending())
        self._commit(old, [entry for entry, _ in new])
        return True

    def _commit(self, old: Sequence[Entry], new: Sequence[Entry]) -> None:
        for entry in old:
            self.books.fold(hour_key(entry.name), entry.name.rows)
            del self.entries[entry.id]
        for entry in new:
            self.books.fold(hour_key(entry.name), -entry.name.rows)
            self.entries[entry.id] = entry
        self._carried = self.high_water
        self.shelf.owe(entry.name.text() for entry in old)
        stored = self.save()
        crashpoint("outbox_replace_after_commit")
        if stored:
            self.shelf.pay()

    def persist_memory(self) -> bool:
        """Try the disk again and move to it what is only in memory; True when everything is on disk."""
        if not self.save():
            return False
        self.shelf.pay()
        if not self.shelf.restore():
            return False
        for entry in self.entries.values():
            if entry.in_memory is not None:
                if not self.shelf.put(entry.name.text(), entry.in_memory):
                    return False
                entry.in_memory = None
        self._epoch_in_memory = False
        return True


def hour_key(name: FileName) -> Hour:
    """What the rows of a file are accounted under."""
    return Hour(name.kind, hour_of(name.window_start_s))
