"""Structured logs on stderr, one JSON object per line; libraries' logs take the same way. Never a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from periplus_contract.text import json_text, visible

HIDDEN: Final = "[hidden]"
_SECRET_KEYS: Final = re.compile(r"token|secret|password|passwd|authorization|credential|cookie", re.IGNORECASE)
_HARMLESS_KEYS: Final = re.compile(r"(_id|_ids|_prefix|_file|_name|_count|_s)$")
_SECRET_VALUES: Final = re.compile(
    r"\b(pp[a-z]_[A-Za-z0-9_-]{4,16}[_.])[A-Za-z0-9_-]{16,}"  # our tokens: the public part may be shown
    r"|(Bearer\s+)\S+"
    r"|(://[^:/@\s]*:)[^@/\s]+(?=@)",  # a password in a URL
    re.IGNORECASE,
)
_SEVERAL_LINES: Final = frozenset({"exception", "stack"})
"""Tracebacks: each of their lines is made visible by itself, and indented, so that none passes for a record."""

Event = MutableMapping[str, Any]


def configure(level: str = "info", *, human: bool = False) -> None:
    """Set up logging for the whole process; `human` is for a terminal."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    shown = [show_plainly] if human else []
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if human else structlog.processors.JSONRenderer(json_text)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("alembic", "httpx", "uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(chatty).handlers.clear()
        logging.getLogger(chatty).propagate = True
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def hide_secrets(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: values under secret-looking keys, and secrets inside texts."""
    return {key: _cleaned(key, value) for key, value in event.items()}


def show_plainly(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor for terminals: what a cluster or a stranger said cannot move the cursor or hide a line."""
    return {visible(key): _plain(value, key) for key, value in event.items()}


def _plain(value: Any, key: str) -> Any:  # noqa: ANN401 - log values are anything
    if key in _SEVERAL_LINES and isinstance(value, str):
        return "\n".join(f"    {visible(line)}" for line in value.split("\n"))
    return value if isinstance(value, int | float) or value is None else visible(str(value))


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
