"""Child processes of `periplus try` and `periplus demo`: one hub, one spoke per context.

They are the same programs a real fleet runs. All children end with the parent: on Linux the kernel sees to it, and
`close` does so everywhere else.
"""

import contextlib
import functools
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from periplus_hub.api.cli import temporary_folders

_POLL_S: Final = 0.05
_START_S: Final = 120.0
_STOP_S: Final = 20.0
_BACKLOG: Final = 512
_LOG_TAIL_LINES: Final = 15
_CHILD_SCRIPT: Final = Path(__file__).with_name("end_with_parent.py")


class ChildError(Exception):
    """A child process did not do what it was started for; `log` is the end of what it said."""

    def __init__(self, message: str, remedy: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.log = tuple(log)


class SpokeStatus(msgspec.Struct, frozen=True):
    """What a spoke writes into its status file."""

    phase: str = "starting"
    registration: str = ""
    cluster_name: str = ""
    reason: str = ""
    message: str = ""
    remedy: str = ""
    objects: int | None = None
    conditions: dict[str, str] = {}
    """What it cannot do now, and why, by their names."""


class HubReady(msgspec.Struct, frozen=True):
    """What the hub writes into its ready file."""

    spokes_url: str
    api_url: str
    metrics_url: str
    admin_token_file: str


@dataclass
class Child:
    """One process with its log file."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    again: Callable[[], "Child"]
    """Starts another one like it."""

    @classmethod
    def start(
        cls, name: str, arguments: list[str], log: Path, *, inherited: tuple[int, ...] = (), scratch: Path | None = None
    ) -> "Child":
        """Start `python -m …` with its output in `log`; call it from the main thread, whose end ends the child.

        `scratch` is where it puts temporary files.
        """
        environment = environment_of_a_trial() | ({"TMPDIR": str(scratch)} if scratch else {})
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD_SCRIPT), str(os.getpid()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                pass_fds=inherited,
                env=environment,
                start_new_session=True,
            )
        again = functools.partial(cls.start, name, arguments, log, inherited=inherited, scratch=scratch)
        return cls(name, log, process, again)

    @property
    def running(self) -> bool:
        """Whether the process still lives."""
        return self.process.poll() is None

    def tail(self) -> list[str]:
        """The last lines it logged."""
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return []


def environment_of_a_trial() -> dict[str, str]:
    """Ours without PERIPLUS_…: those settings mean somebody's real hub and spoke, and must not steer a trial.

    The account to run PostgreSQL as is a fact of the machine, and stays.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name == "PERIPLUS_POSTGRES_ACCOUNT" or not name.startswith("PERIPLUS_")
    }


@dataclass
class Children:
    """All children of one run; `close` stops them, spokes before the hub."""

    folder: Path
    owner_lock: int | None = None
    """Says that the folder is in use while it is open, here or in the hub."""
    hub: Child | None = None
    spokes: dict[str, Child] = field(default_factory=dict)
    _idle: threading.Event = field(default_factory=threading.Event)

    @property
    def _ready_file(self) -> Path:
        return self.folder / "hub-ready.json"

    def start_hub(self, join_tokens: Sequence[Mapping[str, object]]) -> str:
        """Start an all-in-one hub in the folder; returns the URL spokes may dial at once: they wait until it is ready.

        `join_tokens` are as the hub reads them from a file.
        """
        tokens = self.folder / "join-tokens.json"
        tokens.touch(mode=0o600)
        tokens.write_text(json.dumps(join_tokens))
        arguments = ["periplus_hub", "hub", "serve", "--all-in-one", "--ephemeral", "--settle-after-s", "0"]
        arguments += ["--data-dir", str(self.folder / "hub"), "--ready-file", str(self._ready_file)]
        arguments += ["--api-port", "0", "--metrics-port", "0", "--join-tokens-file", str(tokens)]
        with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as door:
            arguments += ["--spokes-fd", str(door.fileno())]
            inherited = (door.fileno(), *(() if self.owner_lock is None else (self.owner_lock,)))
            self.hub = Child.start("hub", arguments, self.folder / "hub.log", inherited=inherited)
            return f"http://127.0.0.1:{door.getsockname()[1]}"

    def wait_ready(self, beat: Callable[[], None]) -> HubReady:
        """Return once the hub can commit, calling `beat` meanwhile; raises ChildError."""
        deadline = time.monotonic() + _START_S
        while not self._ready_file.exists():
            if self.hub is None or not self.hub.running or time.monotonic() > deadline:
                remedy = f"Its folder is {self.folder}: TMPDIR chooses another place."
                raise ChildError("the hub did not start", remedy, self.hub.tail() if self.hub else ())
            beat()
            self.pause()
        return msgspec.json.decode(self._ready_file.read_bytes(), type=HubReady)

    def start_spoke(self, index: int, name: str, hub_url: str, join_token: str, options: Sequence[str]) -> None:
        """Start one spoke with these settings, and a state folder and status file of its own.

        A kubeconfig's certificates and keys become temporary files in it, and these must go with the folder.
        """
        folder = self.folder / f"spoke-{index}"
        folder.mkdir(mode=0o700)
        scratch = folder / "tmp"
        scratch.mkdir()
        token_file = folder / "join-token"
        token_file.touch(mode=0o600)
        token_file.write_text(join_token)
        arguments = ["periplus_spoke", "run", "--hub", hub_url, "--join-token-file", str(token_file)]
        arguments += ["--state-dir", str(folder / "state"), "--cluster-name", name]
        arguments += options
        # All of them ask from here, and none of them for longer than this folder is there.
        arguments += ["--vantage", str(self.folder), "--status-file", str(self.status_file(index))]
        self.spokes[name] = Child.start(name, arguments, folder / "spoke.log", scratch=scratch)

    def start_spoke_again(self, name: str) -> None:
        """End it, and start it with the same folder: it goes on where it was, without waiting for its next try."""
        _kill(self.spokes[name])
        self.spokes[name] = self.spokes[name].again()

    def status_file(self, index: int) -> Path:
        """Where spoke `index` reports its progress."""
        return self.folder / f"spoke-{index}" / "status.json"

    def status(self, index: int, name: str) -> SpokeStatus:
        """The spoke's own word, or what its death says."""
        found = SpokeStatus()
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            found = msgspec.json.decode(self.status_file(index).read_bytes(), type=SpokeStatus)
        child = self.spokes[name]
        if found.phase not in {"failed", "settled"} and not child.running:
            detail = " / ".join(child.tail()) or f"exit code {child.process.returncode}"
            return SpokeStatus(
                phase="failed",
                reason="spoke_died",
                message=f"the spoke process ended: {detail}",
                remedy="Look closer with 'periplus-spoke check' and this context.",
            )
        return found

    def pause(self, seconds: float = _POLL_S) -> None:
        """One polling interval."""
        self._idle.wait(seconds)

    def wait_for(self, done: Callable[[], bool], timeout_s: float, poll_s: float = _POLL_S) -> bool:
        """Poll `done` until it is true; False when the time is over."""
        deadline = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > deadline:
                return False
            self.pause(poll_s)
        return True

    def close(self) -> None:
        """Stop every child. Spokes at once, as their folders go with them; the hub politely, for its PostgreSQL."""
        for spoke in self.spokes.values():
            _kill(spoke)
        if self.hub is None:
            return
        if self.hub.running:
            self.hub.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.hub.process.wait(_STOP_S)
        _kill(self.hub)  # and an initdb that outlives a hub which was stopped while it started

    def remove_folder(self) -> bool:
        """After `close`; whether it is gone. What the kernel ended with its parent may be writing for a moment yet."""
        return self.wait_for(lambda: temporary_folders.is_removed(self.folder), _STOP_S)


def _kill(child: Child) -> None:
    """It and what it started, like a credential plugin."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def spoke_is_installed() -> bool:
    """Whether this environment has the spoke agent, which `try` and `demo` start as processes."""
    return importlib.util.find_spec("periplus_spoke") is not None
