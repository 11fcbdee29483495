"""What a database error means for whoever met it."""

from collections.abc import Iterator
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError

_NO_SUCH_SERVER: Final = asyncpg.TargetServerAttributeNotMatched
"""None of the URL's hosts is what `target_session_attrs` asks for: during a failover no primary."""
DATABASE_ERRORS: Final = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, _NO_SUCH_SERVER, OSError)
"""What a statement may raise: SQLAlchemy's wrapping, the driver's own where it is used directly, or the network's."""

_READ_ONLY: Final = "25006"
_TOO_MANY: Final = "53300"
_CONNECTION_CLASSES: Final = ("08", "57P", _READ_ONLY, _TOO_MANY, "F0")
"""SQLSTATE prefixes: connection errors, server going down or coming up, read-only (a demoted primary), too many
connections, configuration file trouble while starting."""
_CONTENTION: Final = ("40001", "40P01")
_CANCELLED_BY_TIMEOUT: Final = ("57014", "55P03")
_NOT_OFFERED: Final = ("0A000", "42501", "42883")
_DENIED: Final = "42501"
_LOGIN: Final = "28"
_NO_DATABASE: Final = "3D000"
_NO_ROOM: Final = ("53100", "53200")


def sqlstates(error: BaseException) -> Iterator[str]:
    """The SQLSTATEs in an exception and everything it wraps."""
    for each in _wrapped(error):
        state = getattr(each, "sqlstate", None)
        if isinstance(state, str):
            yield state


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it wraps."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        pending += [each.__cause__, getattr(each, "orig", None)]


def first_cause(error: BaseException) -> BaseException:
    """What the driver or the operating system said, without what was wrapped around it; it names no password."""
    *_, first = _wrapped(error)
    return first


def is_login_refused(error: BaseException) -> bool:
    """The server does not know the user, or not with this password, or not from here."""
    return any(state.startswith(_LOGIN) for state in sqlstates(error))


def is_no_database(error: BaseException) -> bool:
    """The server has no database of this name."""
    return _NO_DATABASE in sqlstates(error)


def is_connection_trouble(error: BaseException) -> bool:
    """The server is gone, is going, or is no longer the primary: another connection may work."""
    if isinstance(error, OSError) or getattr(error, "connection_invalidated", False):
        return True
    if isinstance(error, asyncpg.InterfaceError) and "closed" in str(error):  # the driver has no class for it
        return True
    if any(isinstance(each, _NO_SUCH_SERVER) for each in _wrapped(error)):
        return True
    return any(state.startswith(_CONNECTION_CLASSES) for state in sqlstates(error))


def is_no_primary(error: BaseException) -> bool:
    """None of the servers takes writes."""
    return is_read_only(error) or any(isinstance(each, _NO_SUCH_SERVER) for each in _wrapped(error))


def is_out_of_connections(error: BaseException) -> bool:
    """The server takes no more connections, at all or of this role."""
    return any(state == _TOO_MANY for state in sqlstates(error))


def is_read_only(error: BaseException) -> bool:
    """The server takes no writes: a standby, a demoted primary, or one that protects its disk."""
    return _READ_ONLY in sqlstates(error)


def is_contention(error: BaseException) -> bool:
    """Another transaction won; doing the same again is right."""
    return any(state in _CONTENTION for state in sqlstates(error))


def is_timeout(error: BaseException) -> bool:
    """A statement or lock timeout ended it."""
    return any(state in _CANCELLED_BY_TIMEOUT for state in sqlstates(error))


def is_not_offered(error: BaseException) -> bool:
    """The server has no such function, or not for our role."""
    return any(state in _NOT_OFFERED for state in sqlstates(error))


def is_denied(error: BaseException) -> bool:
    """Our role may not do this."""
    return _DENIED in sqlstates(error)


def is_store_trouble(error: BaseException) -> bool:
    """The store is away, full or too slow: no fault of ours, and the same may work later."""
    if not isinstance(error, DATABASE_ERRORS):
        return False
    return is_connection_trouble(error) or is_no_room(error) or is_timeout(error) or is_contention(error)


def is_no_room(error: BaseException) -> bool:
    """The server's disk or memory is full."""
    return any(state in _NO_ROOM for state in sqlstates(error))
