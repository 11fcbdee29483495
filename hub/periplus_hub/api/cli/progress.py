"""How a long command says what it is doing, on standard error: one line that changes, or plain lines in a log."""

import contextlib
import os
import shutil
import sys
import time
from typing import Final, TextIO

from periplus_contract.text import visible

_WIPE: Final = "\r\x1b[2K"


class Progress:
    """On a terminal the newest step with its seconds; elsewhere each step once, on a line of its own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._step = ""
        self._began_s = time.monotonic()

    def show(self, step: str, detail: str = "") -> None:
        """What goes on now. `detail` changes often: only a terminal shows it."""
        step, detail = visible(step), visible(detail)
        if self._live:
            seconds = f"{time.monotonic() - self._began_s:3.0f} s  "
            text = seconds + " · ".join(part for part in (step, detail) if part)
            self._write(_WIPE + text[: shutil.get_terminal_size().columns - 1])
        elif step != self._step:
            self._write(f"{step}\n")
        self._step = step

    def clear(self) -> None:
        """Leave the line to whatever is printed next."""
        if self._live:
            self._write(_WIPE)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that was closed; the work, and the clearing up, go on
            self._stream.write(text)
            self._stream.flush()
