"""What a trouble of the database means for the spoke that waits for an answer."""

from typing import Final

import structlog

from periplus_contract import problems
from periplus_hub.kit.db_errors import (
    is_connection_trouble,
    is_contention,
    is_denied,
    is_no_room,
    is_timeout,
    sqlstates,
)
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

BUSY_S: Final = 5
"""When a spoke may ask again."""
_BAD_DATA: Final = ("22", "23", "54")
"""SQLSTATE classes that blame the rows: data exception, integrity violation, limit of the program exceeded."""
_DENIED_REMEDY: Final = "Run 'periplus hub migrate': it gives the role in PERIPLUS_DATABASE_URL its rights."

_log: Final = structlog.get_logger(__name__)


def verdict_on(error: Exception) -> Exception:
    """Come back, or this batch can never be stored; else a bug."""
    if is_connection_trouble(error) or is_contention(error) or is_timeout(error) or is_no_room(error):
        return SpokeRequestRefusal(problems.OVERLOADED, "the database cannot take this now", retry_after_s=BUSY_S)
    if is_denied(error):
        _log.error("database_denies", error=str(error.__cause__ or error), remedy=_DENIED_REMEDY)
        return SpokeRequestRefusal(problems.OVERLOADED, "the database lets the hub store nothing", retry_after_s=BUSY_S)
    if any(state.startswith(_BAD_DATA) for state in sqlstates(error)):
        _log.error("rows_refused", error=str(error.__cause__ or error)[:500])
        return SpokeRequestRefusal(problems.INVALID_BATCH, "the database refuses the rows; the hub's log says why")
    return error
