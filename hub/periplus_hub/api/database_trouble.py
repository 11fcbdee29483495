"""What keeps a hub from its database, said to who starts it: one line, and the remedy of its cause."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Final

import asyncpg

from periplus_contract.tls_trouble import TlsTrouble, tls_trouble
from periplus_hub.kit.db_errors import (
    DATABASE_ERRORS,
    first_cause,
    is_connection_trouble,
    is_denied,
    is_login_refused,
    is_no_database,
    is_no_primary,
    is_out_of_connections,
)
from periplus_hub.kit.errors import Unavailable

URL: Final = "PERIPLUS_DATABASE_URL"
OWNERS_URL: Final = "PERIPLUS_MIGRATION_DATABASE_URL"
_DENIED: Final = {
    URL: "Run 'periplus hub migrate': it gives the role its rights.",
    OWNERS_URL: f"Migrate as the owner of the database: name it in {OWNERS_URL}. Or let this role make tables: "
    "GRANT CREATE ON SCHEMA public TO it.",
}
_NO_TLS: Final = "rejected SSL upgrade"
"""The driver's words; it has no class for it."""
_TLS: Final = {
    TlsTrouble.OTHER_NAME: "Name the server in {} as its certificate does.",
    TlsTrouble.WRONG_TIME: "Renew the server's certificate, or set this machine's clock.",
    TlsTrouble.UNKNOWN_AUTHORITY: "Give {} the file of the authority that signed the server's certificate: "
    "sslrootcert=/path/to/ca.crt.",
}


@contextlib.contextmanager
def naming_the_database(setting: str = URL) -> Iterator[None]:
    """For what is done at the start. The driver's text names no password."""
    try:
        yield
    except (*DATABASE_ERRORS, Unavailable) as error:
        remedy = _remedy(error, setting)
        if not remedy:
            raise
        raise Unavailable(f"the database cannot be used: {_said(first_cause(error))}", remedy) from error


def _said(error: BaseException) -> str:
    """Its first line: after that drivers give hints of their own, for settings that are not ours."""
    return str(error).partition("\n")[0].strip() or type(error).__name__


def _remedy(error: BaseException, setting: str) -> str:
    """Empty for what is no trouble with reaching the database."""
    # The first in this order counts: TLS trouble and a refused login are connection trouble as well, with a worse
    # remedy.
    cause = first_cause(error)
    if trouble := _TLS.get(tls_trouble(cause)[0]):
        return trouble.format(setting)
    if isinstance(cause, ConnectionError) and _NO_TLS in str(cause):
        return f"Let the server take TLS (ssl = on), or leave sslmode out of {setting} where the way there is safe."
    if isinstance(cause, ssl.SSLError):
        return f"Look at the files that {setting} names (sslrootcert, sslcert, sslkey), and at the server's log."
    if isinstance(cause, asyncpg.exceptions.ClientConfigurationError):
        return f"Correct a parameter of {setting}: sslmode, and sslrootcert, sslcert and sslkey, which name files."
    for is_it, remedy in (
        (is_login_refused, f"Correct the user and password in {setting}, or let pg_hba.conf admit them."),
        (is_denied, _DENIED[setting]),
        (is_no_database, f"Create it with 'createdb', or name another in {setting}."),
        (is_out_of_connections, "Raise the server's max_connections, or end what holds them."),
        (is_no_primary, f"Let {setting} name the primary, and look whether its disk is full."),
        (
            is_connection_trouble,
            f"Check that PostgreSQL runs and takes connections, and the host and port in {setting}.",
        ),
    ):
        if is_it(error) or is_it(cause):
            return remedy
    return error.remedy if isinstance(error, Unavailable) else ""
