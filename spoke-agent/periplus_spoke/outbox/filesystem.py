"""The few file operations the outbox needs, so a test can stand in for a disk that forgets."""

import os
from pathlib import Path
from typing import Protocol

from periplus_spoke.kit.own_files import read_own, sync_folder, write_own


class FileSystem(Protocol):
    """One flat folder. Every method may raise OSError."""

    def names(self) -> list[str]:
        """All file names."""

    def size(self, name: str) -> int:
        """Length in bytes."""

    def read(self, name: str, limit: int = -1) -> bytes:
        """The first `limit` bytes, or all."""

    def write(self, name: str, data: bytes) -> None:
        """Create or replace; the content is durable on return, the name is not."""

    def rename(self, old: str, new: str) -> None:
        """Atomic; durable after `sync_folder`."""

    def remove(self, name: str) -> None:
        """Gone for readers at once, durably after `sync_folder`. A missing file is fine."""

    def sync_folder(self) -> None:
        """Make names durable."""


class FolderFileSystem:
    """A real folder. Files are readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """All file names."""
        with os.scandir(self._folder) as entries:
            return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]

    def size(self, name: str) -> int:
        """Length in bytes."""
        return (self._folder / name).lstat().st_size

    def read(self, name: str, limit: int = -1) -> bytes:
        """The first `limit` bytes, or all."""
        return read_own(self._folder / name, limit)

    def write(self, name: str, data: bytes) -> None:
        """Create or replace; the content is durable on return, the name is not."""
        write_own(self._folder / name, data)

    def rename(self, old: str, new: str) -> None:
        """Atomic; durable after `sync_folder`."""
        (self._folder / old).rename(self._folder / new)

    def remove(self, name: str) -> None:
        """Gone for readers at once, durably after `sync_folder`. A missing file is fine."""
        (self._folder / name).unlink(missing_ok=True)

    def sync_folder(self) -> None:
        """Make names durable."""
        sync_folder(self._folder)


def store(files: FileSystem, name: str, data: bytes) -> None:
    """Replace `name` durably and at once: it is the old content or the new, never a part."""
    temporary = name + ".tmp"
    files.write(temporary, data)
    files.rename(temporary, name)
    files.sync_folder()
