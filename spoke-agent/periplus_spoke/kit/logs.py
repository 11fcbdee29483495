"""Structured logs on standard error: one JSON object or one line of text per record. Never a secret."""

import logging
import sys
from typing import Final

from periplus_contract.log_lines import (
    CountingHandler,
    LogFormat,
    in_one_line,
    is_from_outside,
    log_line,
    tell_of_the_rest,
    wants_text,
)
from periplus_spoke.kit.errors import SpokeError

_OURS: Final = "periplus_spoke"
_STANDARD: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "taskName",
    "repeated",
}


class Lines(logging.Formatter):
    """One line per record; fields given as `extra` stand beside time, level, logger and message."""

    def __init__(self, *, text: bool) -> None:
        super().__init__()
        self._text = text

    def format(self, record: logging.LogRecord) -> str:
        """One line, and as text a traceback when there is one."""
        fields = extra(record)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields.setdefault("error", in_one_line(error))
            if record.exc_info and not (is_from_outside(error) or isinstance(error, SpokeError)):
                fields["exception"] = self.formatException(record.exc_info)
        return log_line(record, record.getMessage(), fields, text=self._text)


def extra(record: logging.LogRecord) -> dict[str, object]:
    """The fields given as `extra`."""
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def set_up(log_format: LogFormat, level: str) -> None:
    """Send our logs, and warnings of others, to standard error."""
    handler = CountingHandler(sys.stderr)
    handler.setFormatter(Lines(text=wants_text(log_format, sys.stderr)))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OURS).setLevel(level.upper())
    tell_of_the_rest()
