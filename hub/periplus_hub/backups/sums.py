"""The files of a backup: private, on the disk, and with sums as `sha256sum` writes and checks them."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from periplus_hub.backups.model import MANIFEST, SUMS, Manifest, damaged, read_manifest
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.some_names import some

_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_SHOWN: Final = 3


def seal(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below; from now on only their owner may read them, and they are on the disk."""
    for place in folder.rglob("*"):
        place.chmod(0o700 if place.is_dir() else 0o600)
    sums = {name: _sum_of(folder / name) for name in files_in(folder)}
    os.sync()  # there may be tens of thousands
    return sums


def seal_one(path: Path) -> dict[str, str]:
    """The same of one file."""
    path.chmod(0o600)
    return {path.name: _sum_of(path)}


def files_in(folder: Path) -> list[str]:
    """Every file below, by its path from there."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """The file of sums, and everything of the folder on the disk."""
    path = folder / SUMS
    path.write_text("".join(f"{each}  {name}\n" for name, each in sorted(sums.items())), encoding="utf-8")
    path.chmod(0o600)
    os.sync()


def sync_folder(folder: Path) -> None:
    """Its names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verified(folder: Path) -> Manifest:
    """What the backup says of itself, when each of its files is what was taken. Reads all of it; raises Refusal."""
    try:
        sums = _read_sums(folder)
        manifest = read_manifest((folder / MANIFEST).read_bytes(), str(folder))
        _refuse_incomplete(folder, manifest, set(sums))
        wrong = sorted(name for name, expected in sums.items() if _sum_of(folder / name) != expected)
    except OSError as error:
        raise _unreadable(folder, error) from error
    if wrong:
        raise damaged(str(folder), f"{some(wrong, _SHOWN)} is not what was written")
    return manifest


def _read_sums(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise Refusal(f"{folder} is no folder with a backup", "Name the folder that 'periplus backup' made.")
    if not (folder / SUMS).exists():
        raise Refusal(
            f"{folder} is no whole backup: it has no {SUMS}, which is written last",
            "Name a folder that 'periplus backup' finished.",
            slug="backup-damaged",
        )
    found = [_LINE.fullmatch(line) for line in (folder / SUMS).read_text("utf-8", errors="replace").splitlines()]
    if not all(found):
        raise damaged(str(folder), f"{SUMS} cannot be read")
    return {match[2]: match[1] for match in found if match}


def _refuse_incomplete(folder: Path, manifest: Manifest, summed: set[str]) -> None:
    wanted = {*manifest.files, MANIFEST}
    there = set(files_in(folder)) - {SUMS}
    if missing := sorted(wanted - there):
        raise damaged(str(folder), f"{some(missing, _SHOWN)} is missing")
    if extra := sorted((there | summed) - wanted):
        raise damaged(str(folder), f"{some(extra, _SHOWN)} does not belong to it")
    if unsummed := sorted(wanted - summed):
        raise damaged(str(folder), f"{SUMS} lacks {some(unsummed, _SHOWN)}")
    for name, size in manifest.files.items():
        if (found := (folder / name).stat().st_size) != size:
            raise damaged(str(folder), f"{name} has {found:,} bytes of {size:,}")


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(folder: Path, error: OSError) -> Refusal:
    return Refusal(
        f"the backup {folder} cannot be read: {error.filename or folder}: {error.strerror}",
        "Read it as its owner: the files are private.",
    )
