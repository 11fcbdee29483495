"""Child processes of `periplus try` and `periplus demo`: one hub, one spoke per context.

They are the same programs a real fleet runs. All children end with the parent: on Linux the kernel sees to it, and
`close` does so everywhere else.
"""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

_POLL_S: Final = 0.05
_STOP_S: Final = 20.0
_LOG_TAIL_LINES: Final = 15
_CHILD_SCRIPT: Final = Path(__file__).with_name("child.py")


class ChildError(Exception):
    """A child process did not do what it was started for; the message holds the end of its log."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class SpokeStatus(msgspec.Struct, frozen=True):
    """What a spoke writes into its status file."""

    phase: str = "starting"
    registration: str = ""
    cluster_name: str = ""
    reason: str = ""
    message: str = ""
    remedy: str = ""
    objects: int | None = None


class HubReady(msgspec.Struct, frozen=True):
    """What the hub writes into its ready file."""

    spokes_url: str
    people_url: str
    metrics_url: str
    admin_token_file: str


@dataclass
class Child:
    """One process with its log file."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, name: str, arguments: list[str], log: Path, environment: dict[str, str] | None = None) -> "Child":
        """Start `python -m …` with its output in `log`; call it from the main thread, whose end ends the child."""
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD_SCRIPT), str(os.getpid()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=os.environ | (environment or {}),
                start_new_session=True,
            )
        return cls(name, log, process)

    @property
    def running(self) -> bool:
        """Whether the process still lives."""
        return self.process.poll() is None

    def tail(self) -> str:
        """The last lines it logged."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
        return ""


@dataclass
class Children:
    """All children of one run; `close` stops them, spokes before the hub."""

    folder: Path
    hub: Child | None = None
    spokes: dict[str, Child] = field(default_factory=dict)
    _idle: threading.Event = field(default_factory=threading.Event)

    def start_hub(self) -> HubReady:
        """Start an all-in-one hub on free ports in the folder and wait until it can commit."""
        ready_file = self.folder / "hub-ready.json"
        arguments = ["periplus_hub", "hub", "serve", "--all-in-one", "--ephemeral"]
        arguments += ["--data-dir", str(self.folder / "hub"), "--ready-file", str(ready_file)]
        arguments += ["--spokes-port", "0", "--people-port", "0", "--metrics-port", "0", "--settle-after-s", "0"]
        self.hub = Child.start("hub", arguments, self.folder / "hub.log")
        deadline = time.monotonic() + 120
        while not ready_file.exists():
            if not self.hub.running or time.monotonic() > deadline:
                msg = f"the hub did not start:\n{self.hub.tail()}"
                raise ChildError(msg, "Start one by itself to see more: periplus hub serve --data-dir FOLDER.")
            self.pause()
        return msgspec.json.decode(ready_file.read_bytes(), type=HubReady)

    def start_spoke(self, index: int, name: str, hub_url: str, join_token: str, kubeconfig: tuple[str, Path]) -> None:
        """Start one spoke with a state folder and status file of its own."""
        folder = self.folder / f"spoke-{index}"
        folder.mkdir(mode=0o700)
        token_file = folder / "join-token"
        token_file.touch(mode=0o600)
        token_file.write_text(join_token)
        context, path = kubeconfig
        arguments = ["periplus_spoke", "run", "--hub", hub_url, "--join-token-file", str(token_file)]
        arguments += ["--state-dir", str(folder / "state"), "--cluster-name", name]
        arguments += ["--kubeconfig", str(path), "--context", context]
        arguments += ["--status-file", str(self.status_file(index))]
        self.spokes[name] = Child.start(name, arguments, folder / "spoke.log")

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
            detail = child.tail() or f"exit code {child.process.returncode}"
            return SpokeStatus(
                phase="failed",
                reason="spoke_died",
                message=f"the spoke process ended: {detail}",
                remedy="Look closer with 'periplus-spoke check' and this context.",
            )
        return found

    def pause(self) -> None:
        """One polling interval."""
        self._idle.wait(_POLL_S)

    def wait_for(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Poll `done` until it is true; False when the time is over."""
        deadline = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > deadline:
                return False
            self.pause()
        return True

    def close(self) -> None:
        """Stop every child: politely first."""
        spokes = list(self.spokes.values())
        _stop(spokes)
        _stop([self.hub] if self.hub else [])


def _stop(children: list[Child]) -> None:
    for child in children:
        if child.running:
            child.process.terminate()
    deadline = time.monotonic() + _STOP_S
    for child in children:
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()


def spoke_is_installed() -> bool:
    """Whether this environment has the spoke agent, which `try` and `demo` start as processes."""
    return importlib.util.find_spec("periplus_spoke") is not None
