"""Log lines of both programs: one shape, one set of keys, and the same line only so often.

Keys: `time`, `level`, `logger`, `message`; `registration`, `cluster`, `tenant`, `address`, `seq`, `epoch`, `job`,
`error` (what went wrong, in one line), `remedy`; `repeated` (how many more there were); `exception` (a traceback, of
faults of ours alone).
"""

import asyncio
import errno
import logging
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from periplus_contract.text import json_text, visible

LogFormat = Literal["auto", "json", "text"]
TOLD: Final = 10
"""So often within a window the same is written out; what comes more often is counted."""
MOST_KEYS: Final = 200
"""So many different lines are told apart within a window; the rest is counted together."""
WINDOW_S: Final = 60.0

ERROR_KIND: Final = "_error_kind"
"""Where a structured record keeps the class of its error; no part of the line."""

_WHOSE: Final = ("registration", "job")
"""Fields whose values no stranger can choose: lines that differ in them are different."""
_MOST_ERROR: Final = 500
_OTHERS: Final = ("", "")
_OF_STRUCTLOG: Final = ("_logger", "_name")
"""What makes its formatter take a record for one of its own."""
_OUTSIDE: Final = (
    ConnectionError,
    TimeoutError,
    EOFError,
    ssl.SSLError,
    socket.gaierror,
    asyncio.CancelledError,
)
_OF_THE_MACHINE: Final = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
        *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EROFS),
    }
)
_BARE: Final = re.compile(r'[^\s"=]+')

Key = tuple[str, ...]
Cancel = Callable[[], None]
Later = Callable[[float, Callable[[], None]], Cancel]


def is_from_outside(error: BaseException) -> bool:
    """A client, a peer or the machine is the cause, and no traceback through our code would tell more."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_from_outside, error.exceptions))
    return isinstance(error, _OUTSIDE) or (isinstance(error, OSError) and error.errno in _OF_THE_MACHINE)


def in_one_line(error: BaseException) -> str:
    """What `error` holds of an exception."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(in_one_line, error.exceptions))[:_MOST_ERROR]
    return ": ".join(filter(None, (type(error).__name__, str(error))))[:_MOST_ERROR]


def wants_text(log_format: LogFormat, stream: TextIO) -> bool:
    """Whether lines are for a person: as asked, else at a terminal."""
    return log_format == "text" or (log_format == "auto" and stream.isatty())


def log_line(record: logging.LogRecord, message: str, fields: Mapping[str, Any], *, text: bool) -> str:
    """The line of a record; as text its traceback follows indented, so that no line of it passes for another."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"time": at, "level": record.levelname.lower(), "logger": record.name, "message": message}
    rest = {key: value for key, value in fields.items() if value is not None and value != ""}
    repeated = getattr(record, "repeated", None)
    if repeated:
        head["message"] = f"{message} (seen {repeated} more times in the last minute)"
        rest["repeated"] = repeated
    if not text:
        return json_text(head | rest, default=str)
    traceback = str(rest.pop("exception", ""))
    shown = "".join(f" {visible(key)}={_value(value)}" for key, value in rest.items() if key != "repeated")
    lines = [f"{at} {head['level']:7} {visible(head['message'])}{shown}"]
    return "\n".join(lines + [f"    {visible(line)}" for line in traceback.split("\n") if line])


def _value(value: object) -> str:
    said = visible(value if isinstance(value, str) else json_text(value, default=str))
    return said if not isinstance(value, str) or _BARE.fullmatch(said) else '"' + said.replace('"', '\\"') + '"'


def _in_a_while(seconds: float, work: Callable[[], None]) -> Cancel:
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()
    return timer.cancel


def _nothing() -> None:
    """Before the first window there is none to cancel."""


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes the first warnings of a kind within a minute, then counts, and says at its end how many there were.

    A kind is what our code says, never what a stranger said: nobody can fill a disk or the memory with lines.
    """

    def __init__(self, stream: TextIO, later: Later = _in_a_while) -> None:
        super().__init__(stream)
        self._later = later
        self._cancel_end: Cancel = _nothing
        self._seen: dict[Key, tuple[int, logging.LogRecord]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock."""
        if self.stream.closed:
            return  # nobody is there to be told, also not that nobody is there
        if record.levelno < logging.WARNING:
            super().emit(record)
            return
        if not self._seen:
            self._cancel_end = self._later(WINDOW_S, self.end_window)
        key = _key(record)
        if key not in self._seen and len(self._seen) >= MOST_KEYS:
            key = _OTHERS
        count = self._seen.get(key, (0, record))[0] + 1
        self._seen[key] = count, record
        # The first with its traceback, the next few without: they would be the same, and a page each.
        if count == 1:
            super().emit(record)
        elif count <= TOLD:
            super().emit(_again(record))

    def end_window(self) -> None:
        """Say what was only counted, and begin anew."""
        with self.lock or threading.RLock():
            seen, self._seen = self._seen, {}
            if self.stream.closed:
                return
            for key, (count, last) in seen.items():
                if count > TOLD:
                    super().emit(_again(last, count - TOLD, together=key == _OTHERS))

    def close(self) -> None:
        """At the end of the process, or when another handler takes its place."""
        self._cancel_end()
        self.end_window()
        super().close()


def _key(record: logging.LogRecord) -> Key:
    """What our code says, what kind of error it met, and whose it is."""
    fields = record.msg if isinstance(record.msg, dict) else record.__dict__
    said = record.msg["event"] if isinstance(record.msg, dict) else record.msg
    kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else fields.get(ERROR_KIND, "")
    whose = (str(fields.get(name, ""))[:100] for name in _WHOSE)
    return record.name, record.levelname, str(said)[:200], kind, *whose


def _again(record: logging.LogRecord, repeated: int = 0, *, together: bool = False) -> logging.LogRecord:
    """The same without its traceback, and, if `repeated`, now and as the sum of so many."""
    changed: dict[str, Any] = record.__dict__ | {"exc_info": None, "exc_text": None, "repeated": repeated}
    if isinstance(record.msg, dict):
        changed["msg"] = {key: value for key, value in record.msg.items() if key != "exception"}
    if together:
        changed |= {"msg": "other lines", "args": (), "name": "periplus"}
    left_out = {*(["created"] if repeated else []), *(_OF_STRUCTLOG if together else [])}
    return logging.makeLogRecord({key: value for key, value in changed.items() if key not in left_out})


def tell_of_the_rest() -> None:
    """What Python itself writes to standard error goes the way of all lines: warnings, and errors nobody waits for."""
    log = logging.getLogger("python")
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda given: log.error("a thread ended", exc_info=given.exc_value or given.exc_type())
    sys.unraisablehook = lambda given: log.error(
        given.err_msg or "an error nobody could be told", exc_info=given.exc_value or given.exc_type()
    )
