"""Who runs the embedded PostgreSQL: the server refuses root, so a hub started as root lends it an existing account."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from periplus_hub.kit.errors import Refusal

_PREFERRED: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The uid and gid the server's processes get. `borrowed`: the hub is root and this is another account."""

    name: str
    uid: int
    gid: int
    borrowed: bool

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments of `subprocess` that start a child as this account, without the hub's groups."""
        if not self.borrowed:
            return {}
        # The groups must go as well: a child of root keeps root's, and with them what they may read.
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Give a folder the hub just made to the account."""
        if self.borrowed:
            os.chown(path, self.uid, self.gid)

    def blocked_by(self, path: Path) -> Path | None:
        """The outermost folder above or at `path` that the account may not pass through, or None."""
        if not self.borrowed:
            return None
        for folder in reversed([path, *path.parents]):
            if not self._may_pass(folder.stat()):
                return folder
        return None

    def _may_pass(self, found: os.stat_result) -> bool:
        # As the kernel decides: the first class that fits counts alone, so an owner without x is kept out though others
        # may.
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)


def server_account(wanted: str | None = None) -> Account:
    """The hub's own account; for root the `wanted` one, else the first existing of `postgres` and `nobody`."""
    if os.geteuid() != 0:
        return Account(_own_name(), os.geteuid(), os.getegid(), borrowed=False)
    for name in (wanted,) if wanted else _PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        # An account of another name with root's uid is root, and the server refuses it.
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid, borrowed=True)
    asked = f"the account '{wanted}' does not exist or is root" if wanted else "there is no account postgres or nobody"
    raise Refusal(
        f"PostgreSQL does not run as root, and {asked}",
        "Start the hub as an ordinary user, or name an existing unprivileged account in PERIPLUS_POSTGRES_ACCOUNT.",
        slug="no-account",
    )


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise Refusal(
            f"uid {os.geteuid()} has no entry in the user database, and PostgreSQL's initdb needs one",
            "Run the hub as a named user, or use a PostgreSQL server through PERIPLUS_DATABASE_URL.",
            slug="no-account",
        ) from error
