"""Run `periplus` as a person would: a process of its own, with an environment of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 240
AS_AT_A_TERMINAL = """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
from periplus_hub.__main__ import main
main()
"""
"""Whoever runs the tests, perhaps under nohup or in the background, may ignore what a child then ignores too."""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON; the failure shows everything the command said."""
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"no JSON (exit {self.code}): {self.out!r}\n{self.err}") from error


def own_environment(home: Path, **environment: str) -> dict[str, str]:
    """`home` keeps the machine's own kubeconfig and data folder out of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERIPLUS", "KUBE"))}
    return kept | {"HOME": str(home), "NO_COLOR": "1", "COLUMNS": "160"} | environment


def periplus(*arguments: str, home: Path, **environment: str) -> Outcome:
    """Run to the end."""
    done = subprocess.run(
        [sys.executable, "-m", "periplus_hub", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=own_environment(home, **environment),
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


_INTERRUPTED = """
import sys
from importlib.metadata import entry_points

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
(command,) = entry_points(group="console_scripts", name=sys.argv[1])
command.load()()
"""


def interrupted_while_it_loads(script: str, module: str) -> Outcome:
    """Run an installed command that gets Ctrl-C at the moment it imports `module`."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, script, module], capture_output=True, text=True, timeout=60, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
