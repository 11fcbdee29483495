"""Asks `periplus` as a person would: a command in a process of its own, and the hub of a `try` that goes on."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT
from types import TracebackType
from typing import Any, Final, Self

from tests.cluster.rig.polling import wait_for
from tests.support.commands import Outcome, own_environment, periplus

Json = dict[str, Any]

_TIMEOUT_S: Final = 240.0
_SERVING: Final = re.compile(r"^export PERIPLUS_URL=(\S+) PERIPLUS_TOKEN=(\S+)$", re.MULTILINE)
_ENDS: Final = re.compile(r"^Serving \S+ until Ctrl-C", re.MULTILINE)
_INVITATION: Final = "\nAsk it yourself"
_OUTDATED: Final = "do not include the latest changes"


@dataclass(frozen=True)
class Person:
    """Where somebody works: a home of their own, and the kubeconfigs that they name."""

    home: Path
    kubeconfigs: tuple[Path, ...]
    are_in_environment: bool
    wait_s: float | None

    @property
    def arguments(self) -> list[str]:
        """That tell `periplus try` which clusters, and how long to wait for them."""
        named = [] if self.are_in_environment else [f"--kubeconfig={path}" for path in self.kubeconfigs]
        return named + ([] if self.wait_s is None else [f"--wait={self.wait_s:g}"])

    @property
    def environment(self) -> dict[str, str]:
        """What the shell has set."""
        return {"KUBECONFIG": os.pathsep.join(map(str, self.kubeconfigs))} if self.are_in_environment else {}

    def tries(self, *options: str) -> Outcome:
        """`periplus try`, to its end. Its terminal is so wide that no sentence is broken."""
        return periplus("try", *self.arguments, *options, home=self.home, **self.environment, COLUMNS="1000")


class KeptTry:
    """`periplus try --keep --json`, which serves its hub until it is left."""

    def __init__(self, person: Person, *options: str) -> None:
        self._person = person
        self._options = options
        self._out, self._err = person.home / "kept.out", person.home / "kept.err"
        self._process: subprocess.Popen[bytes] | None = None
        self._door: dict[str, str] = {}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "periplus_hub", "try", *self._person.arguments, "--json", "--keep"]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*command, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=own_environment(self._person.home, **self._person.environment),
            )
        try:
            wait_for("periplus try", self._is_there, timeout_s=_TIMEOUT_S, interval_s=0.1)
        except BaseException:
            self._end()
            raise
        found = _SERVING.search(self._err.read_text())
        if found is not None:
            self._door = {"PERIPLUS_URL": found[1], "PERIPLUS_TOKEN": found[2]}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def outcome(self) -> Outcome:
        """The report, and what was said before the invitation to ask more."""
        assert self._process is not None
        said = self._err.read_text().partition(_INVITATION)[0]
        return Outcome(self._process.poll() or 0, self._out.read_text(), said)

    @property
    def is_serving(self) -> bool:
        """Whether there is a hub to ask."""
        return bool(self._door)

    def hub(self, *arguments: str) -> Outcome:
        """Another command, which asks this hub."""
        return periplus(*arguments, home=self._person.home, **self._door, COLUMNS="1000")

    def overlaps(self) -> Outcome:
        """The report of the hub, when it includes all that was changed."""
        return wait_for("overlaps computed anew", self._current_overlaps, timeout_s=_TIMEOUT_S)

    def _current_overlaps(self) -> Outcome | None:
        found = self.hub("overlaps", "--json")
        return None if _OUTDATED in found.out else found

    def _is_there(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None or bool(_ENDS.search(self._err.read_text()))

    def _end(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(SIGINT)
        try:
            self._process.wait(_TIMEOUT_S)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
