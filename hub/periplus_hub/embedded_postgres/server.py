"""One life of a PostgreSQL server process: its command line, its last words, its end."""

import asyncio
import contextlib
import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import structlog

from periplus_hub.embedded_postgres.account import Account
from periplus_hub.embedded_postgres.binaries import Binaries
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.own_files import read_own

_PR_SET_PDEATHSIG: Final = 1
_LAST_WORDS: Final = 20
_POLL_S: Final = 0.02
STILL_ATTACHED: Final = "pre-existing shared memory block"
"""PostgreSQL's words for processes of an earlier server that still run in the same data directory."""
_ROUTINE: Final = ("LOG:  ", "STATEMENT:  ", "DETAIL:  ")
_REMEDIES: Final = {
    "No space left on device": "Free some space on the volume of the data folder, then start the hub again.",
    STILL_ATTACHED: "Stop the PostgreSQL processes that still run in the data folder, then start the hub again.",
    "could not resize shared memory": "Give the hub a larger /dev/shm, or more memory.",
    "Cannot allocate memory": "Give the hub more memory.",
    "invalid checkpoint record": "The files are damaged: restore the data folder from a backup.",
    "could not locate a valid checkpoint record": "The files are damaged: restore the data folder from a backup.",
    "Permission denied": "Give the files in the data folder back to the account PostgreSQL runs as.",
}

TUNING: Final[dict[str, str]] = {
    "listen_addresses": "",
    "max_connections": "40",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "huge_pages": "off",
    "io_method": "sync",
    "jit": "off",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    "random_page_cost": "1.1",
    "log_min_messages": "warning",
    "log_line_prefix": "",
    "timezone": "UTC",
}
"""For an idle hub of a few hundred MiB on a small machine."""

EPHEMERAL: Final[dict[str, str]] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Only for data that ends with the process: a power cut may ruin it."""

_log: Final = structlog.get_logger(__name__)


class Server:
    """A started postmaster. Make it in the thread that lives as long as the hub: the kernel ends it with that."""

    def __init__(
        self,
        binaries: Binaries,
        account: Account,
        cluster: Path,
        settings: dict[str, str],
        *,
        time_s: Callable[[], float] = time.monotonic,
    ) -> None:
        arguments = [binaries.program("postgres"), "-D", str(cluster)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._pid_file = cluster / "postmaster.pid"
        self._uid = account.uid
        self._loop = asyncio.get_running_loop()
        self._time_s = time_s
        self._heard_s = time_s()
        self.died = asyncio.Event()
        """The postmaster is gone; some of its processes may still work."""
        self.ended = asyncio.Event()
        """All of its processes are gone."""
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            start_new_session=True,  # Ctrl-C in a terminal is the hub's to pass on
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prepared C call; the only way to ask the kernel for this
            **account.popen,
        )
        if self.process.stderr is None:
            raise AssertionError("a pipe was asked for")
        # Two threads, because two things end: the postmaster, after which no connection is taken, and the last of its
        # processes, which hold the pipe, after which the files are at rest.
        threading.Thread(target=self._listen, args=(self.process.stderr,), name="postgres-log", daemon=True).start()
        threading.Thread(target=self._await_death, name="postgres-death", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self.process.poll() is None

    async def until_ready(self, quiet_s: float) -> None:
        """Return once it takes connections; raises Refusal with its last words when it ends or has none for so long.

        After a crash it may take minutes, and says so every ten seconds; ending it would make it begin again.
        """
        while not self._says_ready():
            if not self.running:
                await self.ended.wait()
                raise refusal_from(self._words, "the embedded PostgreSQL ended while starting")
            if self._time_s() - self._heard_s > quiet_s:
                message = f"the embedded PostgreSQL was not ready and said nothing for {quiet_s:.0f} s"
                raise refusal_from(self._words, message)
            await asyncio.sleep(_POLL_S)

    async def stop(self, timeout_s: float) -> None:
        """Fast shutdown; an immediate one when that takes too long. Returns when every process is gone."""
        # PostgreSQL's words for them: fast (roll back and write a checkpoint), immediate (recover at the next start),
        # and what needs no cooperation.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self.ended.wait()
                    return

    def _says_ready(self) -> bool:
        try:
            lines = read_own(self._pid_file, self._uid).splitlines()
        except OSError:
            return False
        # The pid too: the file of an earlier server says ready as well.
        return lines[:1] == [str(self.process.pid)] and [line.strip() for line in lines[7:8]] == ["ready"]

    def _hear(self, line: str) -> None:
        self._words.append(line)
        self._heard_s = self._time_s()
        log = _log.debug if line.startswith(_ROUTINE) else _log.warning
        log("postgres", line=line)

    def _listen(self, pipe: IO[bytes]) -> None:
        """Log what the server says; its end of file means that the last of its processes is gone."""
        with pipe:
            for raw in pipe:
                self._hear(raw.decode(errors="replace").rstrip())
        self.process.wait()
        self._tell(self.ended)

    def _await_death(self) -> None:
        self.process.wait()
        self._tell(self.died)

    def _tell(self, event: asyncio.Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(event.set)


def initialise(binaries: Binaries, account: Account, cluster: Path, roles: tuple[str, str], *, ephemeral: bool) -> None:
    """Run initdb: UTF-8, C.UTF-8 collation, data checksums, entry over the unix socket only.

    `roles` are the superuser's name and that of one who may nothing but log in.
    """
    superuser, other = roles
    command = [binaries.program("initdb"), "-D", str(cluster), "-U", superuser, "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
    command += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
    # Measuring what the machine could do is half of initdb's time; the answers are overridden at every start anyway.
    command += ["--set", "max_connections=40", "--set", "shared_buffers=64MB"]
    if ephemeral:
        command.append("--no-sync")
    _run(command, account, f"PostgreSQL's initdb failed in {cluster}")
    # Alone in the files, without a server: who starts with them finds both roles or none.
    alone = [binaries.program("postgres"), "--single", "-D", str(cluster), "-c", "exit_on_error=on", "postgres"]
    _run(alone, account, f"PostgreSQL made no role in {cluster}", f"CREATE ROLE {other} LOGIN\n")


def _run(command: list[str], account: Account, failed: str, given: str = "") -> None:
    answer = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
        **account.popen,
    )
    if answer.returncode:
        words = deque([*answer.stdout.splitlines(), *answer.stderr.splitlines()], maxlen=_LAST_WORDS)
        raise refusal_from(words, failed)


def refusal_from(words: deque[str], message: str) -> Refusal:
    """A Refusal with the server's last words and, where they are known ones, what to do."""
    said = "\n".join(words)
    remedy = next((remedy for sign, remedy in _REMEDIES.items() if sign in said), "Look at what PostgreSQL said above.")
    return Refusal(f"{message}:\n{said}" if said else message, remedy, slug="postgres-failed")


def _prepared_prctl() -> "ctypes._NamedFuncPointer | None":
    if sys.platform != "linux":
        return None
    function = ctypes.CDLL(None).prctl
    function.argtypes = [ctypes.c_int, ctypes.c_ulong]
    return function


_PRCTL: Final = _prepared_prctl()


def _die_with_parent() -> None:
    # Runs between fork and exec, after the change of account (which would clear it): nothing but this one call.
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGINT)
