"""Standard streams that never fail a program: who reads them may have left, be full, or never have been there.

Both programs call `guard` before anything else. What a command does, and the code it ends with, then follow from its
work alone; whether its output arrived is asked once, at the end.
"""

import errno
import fcntl
import io
import os
import select
import sys
from typing import Final, TextIO, cast

_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EBADF})
"""Nobody reads, and that is theirs to decide: a `head` that has seen enough, or `>&-`."""


class _Lenient(io.RawIOBase):
    """A descriptor that takes everything; after its first error, which is kept, nothing goes anywhere."""

    def __init__(self, descriptor: int, *, was_open: bool) -> None:
        self._descriptor = descriptor
        self.error = None if was_open else OSError(errno.EBADF, os.strerror(errno.EBADF))

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """As everywhere."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person sits there."""
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        """As much as was taken; all of it when nobody takes anything."""
        view = memoryview(cast("bytes", data))
        while self.error is None:
            try:
                return os.write(self._descriptor, view)
            except BlockingIOError:  # somebody else made it so, like the program at the other end of a terminal
                select.select((), (self._descriptor,), ())
            except OSError as error:
                self.error = error
        return view.nbytes


def guard() -> None:
    """Make the process's streams so: once, before anybody else opens a file.

    A closed one is opened on nothing. Otherwise the next socket would take its number, and get what is printed; and
    libuv ends a process that closes a socket of such a number.
    """
    was_open = [_is_open(descriptor) for descriptor in range(3)]
    for descriptor in (each for each in range(3) if not was_open[each]):
        os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)  # takes the lowest number that is free
        fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)  # children have it too
    sys.stdin = sys.stdin if was_open[0] else os.fdopen(0, closefd=False)
    sys.stdout = _text(_Lenient(1, was_open=was_open[1]), sys.stdout, is_live=False)
    sys.stderr = _text(_Lenient(2, was_open=was_open[2]), sys.stderr, is_live=True)


def move_stderr() -> int | None:
    """What Python says goes on to where standard error led, by a new descriptor, which is returned.

    None where the streams are not guarded, as in a test: whoever took them over looks after them.
    """
    raw = getattr(getattr(sys.stderr, "buffer", None), "raw", None)
    if not isinstance(raw, _Lenient):
        return None
    sys.stderr.flush()
    descriptor = os.dup(raw.fileno())
    sys.stderr = _text(_Lenient(descriptor, was_open=raw.error is None), sys.stderr, is_live=True)
    return descriptor


def is_output_lost() -> bool:
    """Whether something that was printed did not arrive, or cannot."""
    return _output_error() is not None


def output_problem() -> str:
    """Why output did not arrive, for the person who wants it; empty when it did, or when nobody wants it."""
    error = _output_error()
    return "" if error is None or error.errno in _GONE else str(error.strerror)


def _output_error() -> OSError | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Lenient):  # a test's stream
        return None
    sys.stdout.flush()
    return raw.error


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _text(raw: _Lenient, before: TextIO | None, *, is_live: bool) -> io.TextIOWrapper:
    """As the one before; a character that its encoding does not have becomes an escape instead of an error."""
    encoding = "utf-8" if before is None else before.encoding
    by_line = is_live or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=by_line)
