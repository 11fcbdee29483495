"""Read a state folder after whatever happened to the process before. Headers only: bodies are checked when sent."""

import logging
from contextlib import suppress
from typing import Final

import msgspec

from periplus_contract.batch import DamagedBatchError, Header, split
from periplus_contract.limits import MAX_COMPRESSED_BYTES, MAX_HEADER_BYTES
from periplus_spoke.outbox import state as states
from periplus_spoke.outbox.filesystem import FileSystem
from periplus_spoke.outbox.model import BAD_SUFFIX, BATCH_SUFFIX, Entry, FileName, Status

_FIRST_READ: Final = 4096
_PREFIX_BYTES: Final = 16

_log: Final = logging.getLogger(__name__)


class Recovered(msgspec.Struct, frozen=True):
    """What the folder holds."""

    state: states.State | None
    entries: tuple[Entry, ...]
    damaged: tuple[FileName, ...]
    """Batch files with an unreadable header, still under their own name."""
    leftovers: tuple[str, ...]
    """Files to delete: half written, or announced as gone or undone by the state."""
    epochs: frozenset[str]
    """Every one that any file name shows, set-aside files included."""


def recover(files: FileSystem, registration: str) -> Recovered:
    """Read the state and every header, changing nothing but the name of a damaged state.

    Raises OSError when the folder cannot be listed at all; everything else is worked around.
    """
    names = files.names()
    state = _read_state(files, names)
    gone = {name for name in names if name.endswith(".tmp")}
    if state is not None:
        # The old halves of a committed exchange, the new halves of one that was not: whichever it was, the state names
        # it.
        gone |= {*state.removing, *state.replacing}.intersection(names)
    entries, damaged, epochs = [], [], set()
    for name in sorted(set(names) - gone):
        parsed = FileName.parse(name)
        if parsed is None:
            continue
        file_name, suffix = parsed
        epochs.add(file_name.id.epoch)
        if suffix != BATCH_SUFFIX:
            continue
        entry = _read_entry(files, name, file_name, registration)
        if entry is None:
            damaged.append(file_name)
        else:
            entries.append(entry)
    return Recovered(state, tuple(entries), tuple(damaged), tuple(sorted(gone)), frozenset(epochs))


def _read_state(files: FileSystem, names: list[str]) -> states.State | None:
    if states.STATE_NAME not in names:
        return None
    try:
        state = states.decode(files.read(states.STATE_NAME, states.MAX_STATE_BYTES))
    except OSError as error:
        _log.error("the outbox state cannot be read", extra={"error": str(error)})
        return None
    if state is None:
        _log.error("the outbox state is damaged; the accounts start again with what is held")
        with suppress(OSError):
            files.rename(states.STATE_NAME, states.STATE_NAME + BAD_SUFFIX)
    return state


def _read_entry(files: FileSystem, name: str, file_name: FileName, registration: str) -> Entry | None:
    try:
        header = _read_header(files, name)
        entry = Entry.of(header, files.size(name))
    except (OSError, DamagedBatchError) as error:
        _log.warning("a batch file is damaged", extra={"file": name, "error": str(error)})
        return None
    # The name accounts for a file whose content is lost, so it has to have said the same as the header all along.
    if entry.name != file_name or entry.size > MAX_COMPRESSED_BYTES:
        _log.warning("a batch file is not what its name says", extra={"file": name, "bytes": entry.size})
        return None
    if header.registration != registration:
        # Its credential would be refused with another registration's batches: it is sealed again under ours.
        entry.status = Status.FOREIGN
    return entry


def _read_header(files: FileSystem, name: str) -> Header:
    head = files.read(name, _FIRST_READ)
    # Bytes 8 to 12 of a sealed batch are the length of its header; few headers need a second read.
    if len(head) == _FIRST_READ and int.from_bytes(head[8:12], "little") > _FIRST_READ - _PREFIX_BYTES:
        head = files.read(name, MAX_HEADER_BYTES + _PREFIX_BYTES)
    header, _ = split(head)
    return header
