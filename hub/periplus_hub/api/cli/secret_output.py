"""Secrets that are shown once: they go where they can be kept, or the command says that they are lost."""

import contextlib
import os
from collections.abc import Callable, Iterator
from errno import EISDIR
from pathlib import Path
from typing import IO, Final

from periplus_contract.streams import is_output_lost
from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.output import tell

_LOST: Final = "standard output is closed, and the secret is shown only once"


@contextlib.contextmanager
def handing_out(out: Path | None, *, force: bool = False) -> Iterator[Callable[[str], None]]:
    """Where a secret goes. Its place is looked at before it is made: one that cannot be kept would be lost."""
    if out is None:
        if is_output_lost():
            fail(_LOST, "Let it go to a file, or a program that reads it.")
        yield _show
        return
    if not force and os.path.lexists(out) and not out.is_dir():
        fail(f"{out} is there already", "Give --out another file, or --force to replace it: what it held is lost.")
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    file = _private_file(temporary, out)
    try:
        with file:
            yield lambda secret: file.writelines([secret, "\n"])
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    tell(f"written to {out}")


def _show(secret: str) -> None:
    tell(secret)
    if is_output_lost():
        fail(_LOST, "It was made: take it back, and make another.")


def _private_file(temporary: Path, out: Path) -> IO[str]:
    try:
        if out.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        return os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}", "Give --out a file in a folder that you may write to.")
