"""The schema's versions: bringing a database up to date, and refusing one this hub does not fit.

Migrations run before the old code stops, so every one keeps the running code working: `expand_` adds, `contract_`
removes what no supported hub uses any more. A revision is named like the start of its file: `expand_0002`.
"""

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import periplus_hub
from periplus_hub.kit.db import Database, ReadConnection, lock_number
from periplus_hub.kit.db_connect import Connector
from periplus_hub.kit.db_errors import is_timeout
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.roles import grant
from periplus_hub.kit.schema_drift import COLUMNS, INDEXES, drift
from periplus_hub.kit.tenancy import NO_TENANT

FLOOR: Final = 1
"""The oldest revision this code can work with."""
OLDEST_POSTGRES: Final = 16
_ENCODING: Final = "UTF8"
_SERVER: Final = text(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding"
)
_NAME: Final = re.compile(r"(expand|contract)_(\d{4})")
_LOCK: Final = "periplus.migrate"
_SETTINGS: Final = {
    "application_name": "periplus-migrate",
    "lock_timeout": "4s",
    "statement_timeout": "60s",
    "row_security": "off",
}
"""Row-level security binds the owner too. Off, it is an error where it would hide rows, so that no migration takes what
it does not see for done: one that changes rows first takes FORCE from their table, and gives it back."""
_PATIENCE_S: Final = 60.0
_ASK_S: Final = 0.2

_log: Final = structlog.get_logger(__name__)


def migrations_folder() -> Path:
    """Where the migrations are: inside an installed package, or beside it in a checkout."""
    package = Path(periplus_hub.__file__).parent
    for folder in (package / "migrations", package.parent.parent / "migrations"):
        if (folder / "env.py").exists():
            return folder
    raise Refusal(
        f"the migrations are neither in {package} nor beside it",
        "Install the hub from its wheel, or from a whole checkout with 'make setup'.",
        slug="no-migrations",
    )


def known_revisions() -> list[str]:
    """Every revision this hub brings, oldest first."""
    found = [_NAME.match(path.name) for path in (migrations_folder() / "versions").glob("*.py")]
    return [match[0] for match in sorted((each for each in found if each), key=lambda match: match[2])]


async def upgrade(url: str, role: str) -> None:
    """Apply what is missing and let `role` use it, one process at a time.

    The URL is the owner's. Raises Refusal when the database is newer or busy.
    """
    connector = Connector(url.replace("postgresql+asyncpg://", "postgresql://", 1))

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await connector.connect(_SETTINGS)

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, hide_parameters=True
    )
    try:
        async with engine.connect() as connection:
            _refuse_server((await connection.execute(_SERVER)).one())
            await _take_lock(connection)
            revision = await connection.run_sync(_revision)
            if revision == known_revisions()[-1]:
                _refuse_drift(drift(await connection.execute(COLUMNS), await connection.scalars(INDEXES)))
            _refuse_unknown(revision)
            # Asked under the lock: of hubs that start together the first migrates, and the others find it done.
            if revision is None or revision in known_revisions()[:-1]:
                await connection.run_sync(_apply)
                _log.info("migrated", before=revision, now=known_revisions()[-1])
            await grant(connection, role)
    except DBAPIError as error:
        if not is_timeout(error):
            raise
        raise Refusal(
            f"a migration waited too long for a lock or ran too long: {error.orig}",
            "Find who holds the lock (pg_stat_activity), then run 'periplus hub migrate' again; nothing is half done.",
            slug="migration-timeout",
        ) from error
    finally:
        await engine.dispose()


async def schema_revision(c: ReadConnection) -> str | None:
    """That of the database; None where it has no schema."""
    exists = await c.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    found: str | None = await c.scalar(text("SELECT version_num FROM alembic_version")) if exists else None
    return found


async def check_schema(db: Database) -> None:
    """Raise Refusal unless this hub works with the database's schema."""
    async with db.read(NO_TENANT) as c:
        _refuse_server((await c.execute(_SERVER)).one())
        revision = await schema_revision(c)
        differs = drift(await c.execute(COLUMNS), (await c.execute(INDEXES)).scalars())
    if revision is None:
        raise Refusal("the database has no schema", "Run 'periplus hub migrate' first.", slug="no-schema")
    _refuse_unknown(revision)
    if _number(revision) < FLOOR:
        raise Refusal(
            f"the database's schema is {revision}, and this hub needs at least {FLOOR:04d}",
            "Run 'periplus hub migrate' first.",
            slug="old-schema",
        )
    if revision == known_revisions()[-1]:
        _refuse_drift(differs)


def _refuse_server(server: Row[Any]) -> None:
    version, encoding = server.version, server.encoding
    if version // 10_000 < OLDEST_POSTGRES:
        raise Refusal(
            f"the database runs PostgreSQL {version // 10_000}, and this hub needs {OLDEST_POSTGRES} or newer",
            "Upgrade the server, or leave PERIPLUS_DATABASE_URL out to use the embedded one.",
            slug="old-postgres",
        )
    if encoding != _ENCODING:
        raise Refusal(
            f"the database's server_encoding is {encoding}, and must be {_ENCODING}: names can hold any letter",
            f"Create another database: CREATE DATABASE periplus ENCODING '{_ENCODING}' TEMPLATE template0.",
            slug="wrong-encoding",
        )


def _refuse_drift(differs: str) -> None:
    if differs:
        raise Refusal(
            f"the database was made by another build of schema {known_revisions()[-1]}: {differs}",
            "Use a new database or data folder (before a release schemas change in place), or restore a whole backup.",
            slug="schema-drift",
        )


def _refuse_unknown(revision: str | None) -> None:
    """One `expand_` further is how an old hub meets the database in the middle of an upgrade; it keeps working."""
    known = known_revisions()
    if revision is None or revision in known:
        return
    if revision == f"expand_{_number(known[-1]) + 1:04d}":
        _log.warning("schema_is_one_ahead", database=revision, hub=known[-1])
        return
    raise Refusal(
        f"the database's schema is {revision}, and this hub knows schemas up to {known[-1]}",
        "Start a hub of the version that migrated it, or restore a backup from before.",
        slug="new-schema",
    )


def _number(revision: str) -> int:
    found = _NAME.fullmatch(revision)
    return int(found[2]) if found else 0


async def _take_lock(connection: Any) -> None:  # noqa: ANN401 - an AsyncConnection, whose execute is generic
    """Held until the connection closes; asked again and again, because waiting for it would hit lock_timeout."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": lock_number(_LOCK)}):
                    return
                await asyncio.sleep(_ASK_S)
    except TimeoutError as error:
        raise Refusal(
            f"another process has been migrating this database for {_PATIENCE_S:.0f} s", "Wait for it, then try again."
        ) from error


def _revision(connection: Connection) -> str | None:
    if not connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _apply(connection: Connection) -> None:
    # Loaded only when there is something to do: most starts have nothing, and it costs memory for good.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    # Alembic makes its own transaction, one for each revision; the lock is the session's and stays.
    connection.commit()
    config = Config()
    folder = str(migrations_folder()).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("prepend_sys_path", folder)  # long revisions keep their tables in modules beside them
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
