"""Where sealed bytes lie: on disk, or in memory while the disk refuses.

A refusing disk (full, read-only, failing) must not stop collection. The store then says so once, keeps new batches
in memory, and moves them to disk when it takes writes again. A small ballast file is given up first, so that even a
full disk lets the state be written that allows settled files to be deleted.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from periplus_spoke.kit.crashpoint import crashpoint
from periplus_spoke.outbox import state as states
from periplus_spoke.outbox.filesystem import FileSystem, store
from periplus_spoke.outbox.model import BAD_SUFFIX, DEAD_SUFFIX

BALLAST_NAME: Final = "ballast"
BALLAST_BYTES: Final = 64 * 1024
ASIDE_BYTES: Final = 16 * 1024 * 1024
"""All damaged and dead-lettered files together; the oldest go first."""

_log: Final = logging.getLogger(__name__)


class SealedStore:
    """Durable writes of the outbox. Methods answer whether the disk took them; they never raise OSError."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._marked: list[str] = []
        self.refusal = ""
        """Why the disk is not written now; empty when it is."""

    @property
    def marked_for_deletion(self) -> tuple[str, ...]:
        """Files accounted for as gone that may still be there."""
        return tuple(self._marked)

    def save(self, state: states.State) -> bool:
        """Store the state; on a full disk the ballast is given up for it."""
        data = states.encode(state)
        try:
            store(self._files, states.STATE_NAME, data)
        except OSError as error:
            # The refusal stands even if this succeeds: only `restore` ends it, which needs room for the ballast.
            self._refused(error)
            return self._save_without_ballast(data)
        return True

    def _save_without_ballast(self, data: bytes) -> bool:
        try:
            # Its blocks are the room for the state. Without it nothing could ever be deleted from a full disk, as
            # deletions are announced by a state first.
            self._files.remove(BALLAST_NAME)
            store(self._files, states.STATE_NAME, data)
        except OSError as error:
            return self._refused(error)
        return True

    def put(self, name: str, sealed: bytes) -> bool:
        """Make a sealed batch durable under `name`."""
        temporary = name + ".tmp"
        try:
            self._files.write(temporary, sealed)
            # The content is durable under a name that recovery deletes. Only the rename makes it a batch, so a batch is
            # never half a file.
            crashpoint("outbox_before_rename")
            self._files.rename(temporary, name)
            crashpoint("outbox_before_folder_sync")
            self._files.sync_folder()
        except OSError as error:
            with suppress(OSError):
                self._files.remove(temporary)
            return self._refused(error)
        return True

    def read(self, name: str) -> bytes:
        """The bytes on disk; raises OSError."""
        return self._files.read(name)

    def mark_for_deletion(self, names: Iterable[str]) -> None:
        """Announce deletions, so that the next stored state has them. None of these names is ever `put` again."""
        self._marked.extend(names)

    def delete_marked(self) -> None:
        """Delete them. What the disk refuses to delete stays marked."""
        if not self._marked:
            return
        try:
            for name in self._marked:
                self._files.remove(name)
            crashpoint("outbox_release_after_remove")
            self._files.sync_folder()
        except OSError as error:
            _log.warning("cannot delete batches that are no longer needed", extra={"error": str(error)})
            return
        self._marked.clear()

    def set_aside(self, old: str, new: str) -> None:
        """Keep a damaged or refused batch under another name, for a person to look at."""
        with suppress(OSError):
            self._files.rename(old, new)
            self._bound_aside()

    def _bound_aside(self) -> None:
        aside = sorted(name for name in self._files.names() if name.endswith((BAD_SUFFIX, DEAD_SUFFIX)))
        sizes = {name: self._files.size(name) for name in aside}
        # By name, which begins with the epoch: the oldest come first.
        total = sum(sizes.values())
        for name in aside:
            if total <= ASIDE_BYTES:
                break
            self._files.remove(name)
            total -= sizes[name]

    def restore(self) -> bool:
        """Take the disk into use again when it has room for the ballast; the next refusal ends that."""
        try:
            if BALLAST_NAME not in self._files.names():
                self._files.write(BALLAST_NAME, bytes(BALLAST_BYTES))
        except OSError as error:
            return self._refused(error)
        self.refusal = ""
        return True

    def _refused(self, error: OSError) -> bool:
        if not self.refusal:
            _log.error("the state folder takes no writes; batches stay in memory", extra={"error": str(error)})
        self.refusal = error.strerror or str(error)
        return False
