"""The repository's files as the gates see them, and what a gate answers."""

import ast
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("contract/periplus_contract", "hub/periplus_hub", "spoke-agent/periplus_spoke")
ALL_PYTHON = (*PACKAGES, "benchmarks", "docs", "migrations", "requirements", "tests")
_NEVER_OURS = {".git", ".venv", ".cache", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """One parsed file; `path` is relative to the repository, with forward slashes."""

    path: str
    text: str
    tree: ast.Module


class Violation(NamedTuple):
    """Where a rule is broken and how to mend it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


Gate = Callable[[Module], Iterator[Violation]]


def parse(text: str, path: str = "hub/periplus_hub/example.py") -> Module:
    """`text` as if it stood at `path`, which decides the exceptions that hold for it."""
    return Module(path, text, ast.parse(text, path))


def texts(*roots: str) -> Iterator[tuple[str, str]]:
    """Path and text of every Python file below `roots`; folders that do not exist yet hold none."""
    for root in roots:
        for path in sorted((ROOT / root).rglob("*.py")):
            if not _NEVER_OURS.intersection(path.parts):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def modules(*roots: str) -> Iterator[Module]:
    """The same, parsed."""
    for path, text in texts(*roots):
        yield parse(text, path)


def violations(gate: Gate, *roots: str) -> list[str]:
    """What `gate` finds below `roots`, as lines that an editor can follow."""
    return [str(found) for module in modules(*roots) for found in gate(module)]


def hold(gate: Gate, *roots: str) -> None:
    """Fails with everything that `gate` finds below `roots`, a line each."""
    if found := violations(gate, *roots):
        pytest.fail("\n".join(found), pytrace=False)


def repository_files() -> list[Path]:
    """Every file that git tracks or would; outside a checkout, every file that is not a tool's cache."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return [path for name in names if name and (path := ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not _NEVER_OURS.intersection(path.parts)]


def functions(tree: ast.Module) -> Iterator[FunctionNode]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def positional(node: FunctionNode) -> list[ast.arg]:
    """The parameters that a caller may pass by position, without self and cls."""
    found = [*node.args.posonlyargs, *node.args.args]
    return found[1:] if found and found[0].arg in {"self", "cls"} else found
