"""Everything held, with its accounts, kept in step with the disk.

Each opening starts an epoch of its own, so a number is given out once however the last life ended, and whatever of it
was only in memory is earlier than all that follows.

Order of writes: a sealed file stands for itself, and recovery counts those that are later than what the state has
counted; anything else the state announces before files change. A release stores totals and the list of files to
delete, then deletes; an exchange (split, fold, new registration) stores the names of the new files as provisional,
writes them, then commits by storing the old ones as to be deleted. Whatever moment the process dies at, recovery reads
the state and knows which half to keep. What is only in memory is left out of the stored accounts.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from periplus_contract.batch import Header, Mark, body_sha256, is_epoch, kind_fields, seal
from periplus_contract.limits import MAX_OUTCOMES
from periplus_contract.outcomes import Outcome
from periplus_contract.version import CONTRACT
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kit.crashpoint import crashpoint
from periplus_spoke.kit.ids import uuid7
from periplus_spoke.outbox.accounts import Accounts, Hour
from periplus_spoke.outbox.filesystem import FileSystem
from periplus_spoke.outbox.model import BAD_SUFFIX, BatchId, Draft, Entry, FileName, Status, hour_of
from periplus_spoke.outbox.recovery import Recovered, recover
from periplus_spoke.outbox.sealed_store import SealedStore
from periplus_spoke.outbox.state import State

_SECOND_US: Final = 1_000_000
_LATEST_WALL_US: Final = 4_070_908_800_000_000
"""2099-01-01: a year of epochs is left, should a clock that is later go on to be right."""


class Holdings:
    """Held batches of one registration. Opening it recovers the folder; raises OSError when that cannot be listed."""

    def __init__(self, files: FileSystem, clock: Clock, rng: random.Random, registration: str) -> None:
        self._clock = clock
        self._rng = rng
        self._registration = registration
        self._provisional: tuple[str, ...] = ()
        self.store = SealedStore(files)
        # Until the first `save` below the old state stands on disk. Dying anywhere before it repeats the same recovery.
        recovered = recover(files, registration)
        state = recovered.state or State(epoch="")
        self.accounts = Accounts(state.totals, state.pending)
        self.entries: dict[BatchId, Entry] = {entry.id: entry for entry in recovered.entries}
        self._counted = state.counted
        self._count(recovered)
        self.epoch = self._mint({state.epoch, *recovered.epochs})
        self.high_water = 0
        # Later than any file that was found: all of them are in the accounts now.
        self._counted = BatchId(self.epoch, 0)
        # Before the first save: a state that forgot them would take the halves of an exchange for batches.
        self.store.mark_for_deletion(recovered.leftovers)
        self.store.restore()
        self._let_go(recovered.damaged, BAD_SUFFIX)

    def _count(self, recovered: Recovered) -> None:
        """Enter what was sealed since the state was written; without a state, everything."""
        for name in [*(entry.name for entry in self.entries.values()), *recovered.damaged]:
            if recovered.state is None:
                self.accounts.found(hour_key(name), name.rows)
            # Sealing does not store the state, so what was sealed since is entered here, once: the next state counts
            # it.
            elif name.id > self._counted:
                self.accounts.collect(hour_key(name), name.rows)
        for entry in self.entries.values():
            if recovered.state is not None and entry.id > self._counted:
                self.accounts.told(entry.outcomes)
        for name in recovered.damaged:
            self.accounts.drop(hour_key(name), name.rows, "damaged_file")

    @property
    def ordered(self) -> list[Entry]:
        """Held batches in the order of sealing."""
        return list(self.entries.values())

    @property
    def _in_memory(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.in_memory is not None]

    def save(self, removing: tuple[str, ...] = ()) -> bool:
        """Store the state; False when the disk refuses. `removing` is to be deleted besides what is marked."""
        held = (hour_key(entry.name) for entry in self.entries.values())
        now_s = self._clock.wall_us() // _SECOND_US
        accounts = self._durable_accounts()
        return self.store.save(
            State(
                epoch=self.epoch,
                counted=self._counted,
                pending=accounts.pending(),
                totals=accounts.stored(held, now_s),
                removing=(*self.store.marked_for_deletion, *removing),
                replacing=self._provisional,
            )
        )

    def _durable_accounts(self) -> Accounts:
        """Without what a restart will know nothing of, or count itself when it finds the file."""
        volatile = self._in_memory
        if not volatile:
            return self.accounts
        accounts = self.accounts.copy()
        for entry in volatile:
            # Its outcomes are owed again: they were told by a header that a restart has never seen.
            accounts.forget(hour_key(entry.name), entry.name.rows, entry.outcomes)
        return accounts

    def start_epoch(self, after: str = "") -> None:
        """Count from 1 again under an epoch that is later, also than `after`; what is held keeps its own."""
        self.epoch = self._mint({self.epoch, after})
        self.high_water = 0
        self.save()
        crashpoint("outbox_new_epoch_after_state")

    def _mint(self, known: Iterable[str]) -> str:
        """Later than all that are known, and one that a hub takes, whatever the clock says."""
        wall_us = min(self._clock.wall_us(), _LATEST_WALL_US)
        return uuid7(wall_us, self._rng, after=max((each for each in known if is_epoch(each)), default=""))

    def add(self, draft: Draft, mark: Mark | None) -> Entry:
        """Seal a draft under the next seq. Raises ValueError when it exceeds a limit of the wire."""
        hour = Hour(draft.kind, hour_of(draft.window_start_s))
        seq = self.high_water + 1
        writable = not self.store.refusal
        if writable:
            entry, sealed = self._sealed(draft, seq, mark, self.accounts.owed(MAX_OUTCOMES, hour, draft.rows))
            if self.store.put(entry.name.text(), sealed):
                # Without a save: a restart itself counts the files later than the stored `counted`, so that sealing
                # costs the write of one file, and not of the state too.
                self._counted = entry.id
                return self._enter(entry)
        # Only of its own rows: of all else the disk remembers that it is still to be told, and memory may be lost.
        own = Outcome(hour_start_s=hour.start_s, kind=hour.kind, collected=draft.rows)
        entry, sealed = self._sealed(draft, seq, mark, (own,) if draft.rows else ())
        entry.in_memory, entry.has_name = sealed, writable
        return self._enter(entry)

    def _enter(self, entry: Entry) -> Entry:
        self.high_water = entry.id.seq
        self.accounts.collect(hour_key(entry.name), entry.name.rows)
        self.accounts.told(entry.outcomes)
        self.entries[entry.id] = entry
        crashpoint("outbox_after_seal")
        return entry

    def _sealed(self, draft: Draft, seq: int, mark: Mark | None, outcomes: tuple[Outcome, ...]) -> tuple[Entry, bytes]:
        header = self._header(draft, seq, mark, outcomes)
        sealed = seal(header, draft.body)
        entry = Entry.of(header, len(sealed))
        entry.in_doubt = False
        return entry, sealed

    def _header(self, draft: Draft, seq: int, mark: Mark | None, outcomes: tuple[Outcome, ...]) -> Header:
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
            covers=draft.covers,
            **kind_fields(draft.kind, mark),
        )

    def oldest_held(self, epoch: str, default: int) -> int:
        """Lowest seq held of `epoch`."""
        return next((identity.seq for identity in self.entries if identity.epoch == epoch), default)

    def release(self, batches: Sequence[Entry], reason: str = "", *, aside: str = "") -> None:
        """Let go of batches. Without a reason the hub has them; with one their rows are dropped and counted.

        `aside` is the suffix under which to keep the files for a person to look at.
        """
        for entry in batches:
            self._account(entry, reason)
            del self.entries[entry.id]
        self._let_go([entry.name for entry in batches if entry.has_name], aside)

    def _let_go(self, names: Sequence[FileName], aside: str = "") -> None:
        self.store.mark_for_deletion(name.text() for name in names)
        if not self.save():
            # They stay marked, for the next state. Deleted before one says so, their rows would be in no account
            # after a kill.
            return
        crashpoint("outbox_release_after_state")
        if aside:
            for name in names:
                self.store.set_aside(name.text(), name.text(aside))
        self.store.delete_marked()

    def _account(self, entry: Entry, reason: str) -> None:
        hour = hour_key(entry.name)
        if not reason or entry.status is Status.ACCEPTED:
            self.accounts.settle(hour, entry.name.rows)
            return
        # What the header was to tell goes with it, so that is owed again.
        self.accounts.owe(entry.outcomes)
        self.accounts.drop(hour, entry.name.rows, reason)

    def refuse_draft(self, draft: Draft, reason: str) -> None:
        """Account for rows that never become a batch."""
        hour = Hour(draft.kind, hour_of(draft.window_start_s))
        self.accounts.collect(hour, draft.rows)
        self.accounts.drop(hour, draft.rows, reason)
        self.save()

    def exchange(self, old: Sequence[Entry], drafts: Sequence[Draft]) -> bool:
        """Put drafts in the place of batches the hub does not have; all or nothing, also across a crash.

        Rows that became fewer count as folded, and rows that became more as collected, as where two halves of a batch
        both need a row that others refer to. False when the disk refuses: then nothing changed.
        """
        if self.store.refusal:
            return False
        # What the old headers were to tell goes with the new ones.
        untold = Accounts(pending=(outcome for entry in old for outcome in entry.outcomes))
        new = [self._resealed(draft, untold) for draft in drafts]
        provisional = self._provisional = tuple(entry.name.text() for entry, _ in new)
        written = self.save()
        crashpoint("outbox_replace_after_intent")
        written = written and all(self.store.put(entry.name.text(), sealed) for entry, sealed in new)
        crashpoint("outbox_replace_before_commit")
        self._provisional = ()
        if not (written and self._commit(old, [entry for entry, _ in new], untold)):
            self.store.mark_for_deletion(provisional)
            return False
        return True

    def _resealed(self, draft: Draft, untold: Accounts) -> tuple[Entry, bytes]:
        # A header holds so many at most. What two headers told need not fit into the one that replaces them; `_commit`
        # owes the rest again.
        outcomes = untold.owed(MAX_OUTCOMES)
        untold.told(outcomes)
        # Also an exchange that fails uses its numbers up: files of these names may be on disk until they are deleted.
        self.high_water += 1
        return self._sealed(draft, self.high_water, draft.own_mark, outcomes)

    def _commit(self, old: Sequence[Entry], new: Sequence[Entry], untold: Accounts) -> bool:
        before = self.accounts, self.entries, self._counted
        # Changed on copies: a disk that refuses the commit must leave no trace in memory either.
        self.accounts, self.entries = self.accounts.copy(), dict(self.entries)
        self.accounts.owe(untold.pending())
        fewer: Counter[Hour] = Counter()
        for entry in old:
            fewer[hour_key(entry.name)] += entry.name.rows
            del self.entries[entry.id]
        for entry in new:
            fewer[hour_key(entry.name)] -= entry.name.rows
            self.entries[entry.id] = entry
            self._counted = entry.id
        for hour, rows in fewer.items():
            if rows >= 0:
                self.accounts.fold(hour, rows)
            else:
                self.accounts.collect(hour, -rows)
        gone = tuple(entry.name.text() for entry in old)
        if not self.save(gone):
            self.accounts, self.entries, self._counted = before
            return False
        crashpoint("outbox_replace_after_commit")
        self.store.mark_for_deletion(gone)
        self.store.delete_marked()
        return True

    def persist_memory(self) -> bool:
        """Try the disk again and move to it what is only in memory; True when everything is on disk.

        First what makes room. Then one file after the other in the order of sealing, each on disk before the accounts
        say so. The disk is in use again only when all of that, and the ballast, is there.
        """
        if not self.save():
            return False
        self.store.delete_marked()
        for entry in self._in_memory:
            entry.has_name = True
            if entry.in_memory is None or not self.store.put(entry.name.text(), entry.in_memory):
                return False
            entry.in_memory = None
            self._counted = entry.id
            crashpoint("outbox_persist_after_file")
        return self.save() and self.store.restore()


def hour_key(name: FileName) -> Hour:
    """What the rows of a file are accounted under."""
    return Hour(name.kind, hour_of(name.window_start_s))
