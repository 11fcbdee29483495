"""What an earlier life left behind: processes of the folder's server, and files that name one by its number.

PostgreSQL judges such a file by whether any process has the number, be it a dead one that nobody buried, or somebody
else's since the machine or the container started again. Whoever holds the folder's lock knows better: nobody else may
run a server here, and each of its processes works in the folder.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from periplus_hub.embedded_postgres.folder import FOLDER_IN_USE, SOCKET_FILES, DataFolder, postmaster_pid
from periplus_hub.kit.errors import Refusal

_PROC: Final = Path("/proc")
_POLL_S: Final = 0.02


def clear_leftovers(folder: DataFolder, sockets: Path, *, patience_s: float = 20.0) -> None:
    """Call with the lock held: ends what still runs in the folder, then removes what names it."""
    if (_PROC / "self" / "cwd").exists():  # else PostgreSQL's own check of postmaster.pid decides
        _end(folder, patience_s)
        folder.pid_file.unlink(missing_ok=True)
    for name in SOCKET_FILES:
        (sockets / name).unlink(missing_ok=True)


def _processes_in(cluster: Path) -> set[int]:
    """The processes of the folder's server."""
    owner, wanted = cluster.stat().st_uid, cluster.resolve()
    entries = [entry for entry in _PROC.iterdir() if entry.name.isdigit()]
    return {int(entry.name) for entry in entries if _is_of_server(entry, owner, wanted)}


def _is_of_server(entry: Path, owner: int, cluster: Path) -> bool:
    """By program and working directory: a shell that somebody left in the folder is none of its processes."""
    try:
        if entry.stat().st_uid != owner:
            return False
        return (entry / "exe").readlink().name.startswith("postgres") and (entry / "cwd").readlink() == cluster
    except PermissionError:  # root without the right to look into others: the command line names the postmaster
        return _is_started_for(entry, cluster)
    except OSError:  # ended meanwhile, or dead and not buried
        return False


def _is_started_for(entry: Path, cluster: Path) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[1:3] == [b"-D", os.fsencode(cluster)]


def _end(folder: DataFolder, patience_s: float) -> None:
    """Fast shutdown, immediate shutdown, kill; the server's files survive all three.

    What outlives its postmaster is nobody's any more and serves nobody: it is not asked to finish.
    """
    for number, share in ((signal.SIGINT, 0.5), (signal.SIGQUIT, 0.25), (signal.SIGKILL, 0.25)):
        living = _processes_in(folder.cluster)
        postmaster = postmaster_pid(folder)
        if number is not signal.SIGINT:
            _send(number, living, folder)
        elif postmaster in living:
            _send(number, {postmaster}, folder)
        else:
            continue
        if _within(patience_s * share, lambda: not _processes_in(folder.cluster)):
            return
    living = _processes_in(folder.cluster)
    if living:
        raise _still_running(min(living), folder)


def _send(number: signal.Signals, pids: set[int], folder: DataFolder) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError as error:
            raise _still_running(pid, folder) from error


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _still_running(pid: int, folder: DataFolder) -> Refusal:
    return Refusal(
        f"a PostgreSQL server (pid {pid}) still runs in {folder.cluster} and does not end",
        f"Stop it ('kill -INT {pid}'), or choose another --data-dir.",
        slug=FOLDER_IN_USE,
    )
