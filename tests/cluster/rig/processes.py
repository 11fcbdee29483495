"""Child processes that log to a file, never outlive the tests, and can be hurt on purpose."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_LEASH = Path(__file__).with_name("leash.py")
_TAIL_LINES = 30

# Linux counts the *thread* that forked as the parent whose death kills the child. So all children
# come from this one thread, which lives as long as the interpreter, and clusters may be started
# from any thread.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rig-spawner")

# Below Linux's ephemeral range: a port from there can be taken by any outgoing connection between
# the choice and the bind.
_PORTS = range(20_000, 32_000)
_handed_out: set[int] = set()


class ProcessDiedError(RuntimeError):
    """A child ended by itself; the message holds the end of its log."""


class Child:
    """One program of a cluster. Inert until started; may be started again after its end."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process else None

    def start(self) -> None:
        """Starts it in its own session, so Ctrl-C reaches the fixtures and not the cluster."""
        self._process = _SPAWNER.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        leash = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid())]
        with self.log.open("ab") as sink:
            return subprocess.Popen(
                [*leash, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises if it was started and has ended."""
        if self._process is not None and self._process.poll() is not None:
            code = self._process.returncode
            message = f"{self.name} ended with {code}; {self.log} ends with:\n{self.tail()}"
            raise ProcessDiedError(message)

    def tail(self) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def wait(self, timeout_s: float) -> int:
        """Its exit code, once it has ended by itself. Raises TimeoutExpired."""
        if self._process is None:
            message = f"{self.name} was not started"
            raise ProcessDiedError(message)
        return self._process.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, such as SIGSTOP to make it hang; nothing happens if it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends it the hard way and reaps it: the data is thrown away, so nothing is lost."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def free_port() -> int:
    """A loopback port nobody listens on, never the same one twice from one process."""
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in _handed_out and _can_bind(port):
            _handed_out.add(port)
            return port
    message = f"no free port in {_PORTS}"
    raise OSError(message)


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
