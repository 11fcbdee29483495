"""The folder of scheduled backups: which whole ones of this hub it has, and what may be removed."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from periplus_hub.backups.model import MANIFEST, SUMS, read_manifest
from periplus_hub.backups.one_at_a_time import alone
from periplus_hub.kit.errors import Refusal

_OURS: Final = re.compile(r"periplus-\d{8}T\d{6}Z")
_PART: Final = re.compile(rf"\.{_OURS.pattern}\.part")
_LEAVING: Final = ".removed"


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole backup."""

    path: Path
    started_at: datetime
    """Of when its PostgreSQL is."""
    hub_id: str
    """Of which hub it is: several may share a folder."""


class _Busy(Refusal):
    """Another process writes it."""


def name_at(now: datetime) -> str:
    """Of a backup that begins then."""
    return f"periplus-{now:%Y%m%dT%H%M%SZ}"


def whole_backups(folder: Path, hub_id: str | None = None) -> list[Kept]:
    """Those that a hub took by itself, the oldest first: of one hub, or of whichever. Raises Refusal."""
    found = (_kept(path, hub_id) for path in _inside(folder))
    return sorted((each for each in found if each is not None), key=lambda each: each.started_at)


def clear_up(folder: Path) -> None:
    """Remove what a hub left that was killed while it wrote or removed a backup."""
    for path in _inside(folder):
        if _PART.fullmatch(path.name):
            with contextlib.suppress(_Busy), alone(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), _Busy("")):
                shutil.rmtree(path)
        elif path.name.endswith(_LEAVING) and _OURS.fullmatch(path.name.removesuffix(_LEAVING)):
            shutil.rmtree(path)


def remove(backups: Iterable[Path]) -> None:
    """At no moment does half of one look like a backup."""
    for path in backups:
        leaving = path.with_name(path.name + _LEAVING)
        path.rename(leaving)
        shutil.rmtree(leaving)


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise Refusal(
            f"the folder of backups {folder} cannot be read: {error.strerror}",
            "Make it, or mount what should be there, for the account of the hub (backup_folder).",
        ) from error


def _kept(path: Path, hub_id: str | None) -> Kept | None:
    if not _OURS.fullmatch(path.name) or not (path / SUMS).exists():
        return None
    try:
        manifest = read_manifest((path / MANIFEST).read_bytes(), str(path))
    except (OSError, Refusal):
        return None  # it is nobody's to remove
    return Kept(path, manifest.started_at, manifest.hub_id) if hub_id in (None, manifest.hub_id) else None
