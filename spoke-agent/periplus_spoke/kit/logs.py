"""Structured logs on standard error: one JSON object or one line of text per record. Never a secret."""

import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

from periplus_contract.text import json_text, visible

LogFormat = Literal["json", "text"]
_OURS: Final = "periplus_spoke"
_STANDARD: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object per line; fields given as `extra` stand beside time, level, logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra(record),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json_text(fields, default=str)


class TextFormatter(logging.Formatter):
    """For people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, plus a traceback when there is one."""
        fields = "".join(f" {key}={value}" for key, value in extra(record).items() if value not in ("", None))
        lines = [f"{_time(record)} {record.levelname.lower():7} {record.getMessage()}{fields}"]
        if record.exc_info:
            lines += [f"    {line}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(map(visible, lines))


def extra(record: logging.LogRecord) -> dict[str, object]:
    """The fields given as `extra`."""
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def set_up(log_format: LogFormat, level: str) -> None:
    """Send our logs, and warnings of others, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OURS).setLevel(level.upper())


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
