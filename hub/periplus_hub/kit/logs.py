"""Structured logs on standard error; libraries' logs take the same way. Never a secret."""

import logging
import re
import sys
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

from periplus_contract.log_lines import (
    ERROR_KIND,
    CountingHandler,
    LogFormat,
    in_one_line,
    is_from_outside,
    log_line,
    wants_text,
)
from periplus_hub.kit.errors import Refusal

HIDDEN: Final = "[hidden]"
_SECRET_KEYS: Final = re.compile(r"token|secret|password|passwd|authorization|credential|cookie", re.IGNORECASE)
_HARMLESS_KEYS: Final = re.compile(r"(_id|_ids|_prefix|_file|_name|_count|_s)$")
_SECRET_VALUES: Final = re.compile(
    r"\b(pp[a-z]_[A-Za-z0-9_-]{4,16}[_.])[A-Za-z0-9_-]{16,}"  # our tokens: the public part may be shown
    r"|(Bearer\s+)\S+"
    r"|(://[^:/@\s]*:)[^@/\s]+(?=@)",  # a password in a URL
    re.IGNORECASE,
)
_FROM_CLIENTS: Final = frozenset(
    {
        *("ClientDisconnect", "ClientDisconnected", "HttpParserError", "UnicodeDecodeError"),
        *("WebSocketDisconnect", "WebSocketException"),
    }
)
"""By name: their libraries are loaded after the log is set up, or never."""
_expected: Final[list[Callable[[BaseException], bool]]] = []

Event = MutableMapping[str, Any]
Steps = list[structlog.typing.Processor]


def configure(level: str = "info", log_format: LogFormat = "auto") -> None:
    """Set up logging for the whole process; what an earlier call set up is closed."""
    structlog.configure(
        processors=_STEPS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    render = _as_text if wants_text(log_format, sys.stderr) else _as_json
    handler = CountingHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=[render]))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in ("alembic", "httpx", "uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(chatty).handlers.clear()
        logging.getLogger(chatty).propagate = True
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    # It tells each failed request with a traceback, and then raises; `kit.column_store` says it in a line.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


def expect(is_expected: Callable[[BaseException], bool]) -> None:
    """From now on errors of which this is true are told in one line, without a traceback."""
    if is_expected not in _expected:
        _expected.append(is_expected)


def tell_error(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: `error` for whatever went wrong, `exception` with the traceback of a fault of ours."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event.setdefault("error", in_one_line(error))
        event[ERROR_KIND] = type(error).__name__
        if not _is_expected(error):
            event["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return event


def _is_expected(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_expected, error.exceptions))
    if isinstance(error, Refusal) or is_from_outside(error) or any(is_expected(error) for is_expected in _expected):
        return True
    return any(each.__name__ in _FROM_CLIENTS for each in type(error).__mro__)


def _as_text(_logger: object, _method: str, event: Event) -> str:
    return _line(event, text=True)


def _as_json(_logger: object, _method: str, event: Event) -> str:
    return _line(event, text=False)


def _line(event: Event, *, text: bool) -> str:
    fields = {key: value for key, value in event.items() if not key.startswith("_")}
    return log_line(event["_record"], str(fields.pop("event", "")), fields, text=text)


def hide_secrets(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: values under secret-looking keys, and secrets inside texts."""
    return {key: _cleaned(key, value) for key, value in event.items()}


_SHARED: Final[Steps] = [structlog.contextvars.merge_contextvars, tell_error, hide_secrets]
_STEPS: Final[Steps] = [*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
"""One list for good: loggers keep the one they were first used with, and `capture_logs` changes it in place."""


def redacted(text: str) -> str:
    """The text without the secrets that can be recognised in it."""
    return _SECRET_VALUES.sub(lambda found: f"{found[1] or found[2] or found[3] or ''}{HIDDEN}", text)


def _cleaned(key: str, value: Any) -> Any:  # noqa: ANN401 - log values are anything
    if _SECRET_KEYS.search(key) and not _HARMLESS_KEYS.search(key):
        return HIDDEN
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {inner: _cleaned(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned("", each) for each in value]
    return value
