"""A disk that forgets: what was not synced is gone after `power_loss`, files can tear, rot, and refuse."""

import errno
import os
import random
from dataclasses import dataclass, field


@dataclass
class FakeFileSystem:
    """A flat folder in memory, as strict as POSIX allows: names are durable only after `sync_folder`.

    `write` makes content durable (as fdatasync does), but its name not. A power loss keeps, of every name changed
    since the last `sync_folder`, the old or the new state, each on its own.
    """

    rng: random.Random = field(default_factory=lambda: random.Random(0))
    files: dict[str, bytes] = field(default_factory=dict)
    durable: dict[str, bytes] = field(default_factory=dict)
    refusing: int = 0
    """An errno for every change, or 0."""
    capacity: int | None = None
    die_after: int | None = None
    """Changes until the machine dies in the middle of one; None: never."""

    def names(self) -> list[str]:
        return list(self.files)

    def size(self, name: str) -> int:
        return len(self._content(name))

    def read(self, name: str, limit: int = -1) -> bytes:
        content = self._content(name)
        return content if limit < 0 else content[:limit]

    def write(self, name: str, data: bytes) -> None:
        if self._dies():
            torn = data[: self.rng.randrange(len(data) + 1)]
            self.files[name] = torn
            raise PowerLossError
        self._change(len(data) - len(self.files.get(name, b"")))
        self.files[name] = data

    def rename(self, old: str, new: str) -> None:
        self._dies_before()
        self._change(0)
        content = self._content(old)
        del self.files[old]
        self.files[new] = content

    def remove(self, name: str) -> None:
        self._dies_before()
        if self.refusing in (errno.EROFS, errno.EIO):
            raise OSError(self.refusing, os.strerror(self.refusing))
        self.files.pop(name, None)

    def sync_folder(self) -> None:
        self._dies_before()
        if self.refusing in (errno.EROFS, errno.EIO):
            raise OSError(self.refusing, os.strerror(self.refusing))
        self.durable = dict(self.files)

    def power_loss(self) -> None:
        """The machine comes back with what was durable, and with any part of what was not."""
        survivors = dict(self.durable)
        for name in sorted(self.files.keys() | self.durable.keys()):
            if self.rng.random() < 0.5:
                if name in self.files:
                    survivors[name] = self.files[name]
                else:
                    survivors.pop(name, None)
        self.files = survivors
        self.durable = dict(survivors)
        self.die_after = None

    def flip_bit(self, name: str, position: int) -> None:
        """A cell of the disk rots."""
        content = bytearray(self._content(name))
        content[position % len(content)] ^= 1 << (position % 8)
        self.files[name] = self.durable[name] = bytes(content)

    def _content(self, name: str) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.files[name]

    def _change(self, growth: int) -> None:
        if self.refusing:
            raise OSError(self.refusing, os.strerror(self.refusing))
        used = sum(map(len, self.files.values()))
        if self.capacity is not None and growth > 0 and used + growth > self.capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _dies(self) -> bool:
        if self.die_after is None:
            return False
        self.die_after -= 1
        return self.die_after < 0

    def _dies_before(self) -> None:
        if self._dies():
            raise PowerLossError


class PowerLossError(BaseException):
    """The machine died during a file operation. No code under test may catch it."""
