"""Fixtures with a real PostgreSQL: one embedded server per test process, one fresh database per test.

The schema is made once, in a template; a test's database is a copy of it. The hub's modules are loaded when the first
test asks, so that tests without a database do not pay: hence `_hub`, and fixtures typed as what they only pass on.
"""

import asyncio
import importlib
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

import pytest

from tests.support.clock import FakeClock

_TEMPLATE = "periplus_template"
_numbers = itertools.count(1)


class Urls(Protocol):
    """What is used of `kit.db_urls.Urls`."""

    hub: str
    owner: str


class Server(Protocol):
    """What is used of EmbeddedPostgres."""

    def urls_of(self, database: str) -> "Urls":
        """For SQLAlchemy."""
        ...


class PostgresForTests:
    """The server, and databases on it by the copy."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def urls(self, database: str) -> Urls:
        """As the hub's role and as the owner, who is the server's superuser."""
        return self._server.urls_of(database)

    async def admin(self, statement: str) -> None:
        """One statement outside any transaction, as the server's superuser."""
        await self.run(self.urls("postgres").owner, statement)

    async def run(self, url: str, statement: str) -> None:
        """The same in the database of this URL."""
        asyncpg = importlib.import_module("asyncpg")
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def empty(self, options: str = "") -> str:
        """A new database with nothing in it; returns its URL for the hub's role."""
        return await self._create(f"template0 {options}")

    async def copy(self, url: str = _TEMPLATE) -> str:
        """A new database with all of another, else the whole schema and no rows; returns its URL for the hub's role."""
        return await self._create(_name(url))

    async def drop(self, url: str) -> None:
        """Remove a copy, ending whoever is still connected."""
        await self.admin(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    async def _create(self, template: str) -> str:
        name = f"test_{next(_numbers)}"
        await self.admin(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.urls(name).hub


def _name(url: str) -> str:
    """Of a database, by its URL."""
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A temporary folder other accounts may pass through: pytest's own are closed, and as root PostgreSQL drops."""
    folder = Path(tempfile.mkdtemp(prefix="periplus-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(open_folder: Path) -> Iterator[PostgresForTests]:
    """The server of this test process."""
    with asyncio.Runner() as runner:
        server = _hub("embedded_postgres.supervisor").EmbeddedPostgres(open_folder / "server", ephemeral=True)
        runner.run(server.start())
        try:
            found = PostgresForTests(server)
            runner.run(make_template(found))
            yield found
        finally:
            runner.run(server.stop())


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
async def empty_database_url(postgres: PostgresForTests) -> AsyncIterator[str]:
    """A database of the test's own with nothing in it."""
    url = await postgres.empty()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def database_url(postgres: PostgresForTests) -> AsyncIterator[str]:
    """A database of the test's own, with the schema and no rows."""
    url = await postgres.copy()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def db(database_url: str, clock: FakeClock) -> AsyncIterator[object]:
    """A `Database` on it."""
    kit = _hub("kit.db")
    found = kit.Database(database_url, clock, kit.DatabaseLimits(read_statement_s=600, write_statement_s=600))
    yield found
    await found.dispose()


@pytest.fixture
async def tenant(db: object) -> object:
    """An admin's Scope in a tenant of its own."""
    return await make_tenant(db, "acme")


@pytest.fixture
async def other_tenant(db: object) -> object:
    """An admin's Scope in another tenant, for tests that nothing leaks."""
    return await make_tenant(db, "globex")


async def make_tenant(db: object, name: str) -> object:
    """A new tenant and its admin's Scope; `db` is a `Database`."""
    scope = _hub("access.scope").system_scope(_hub("kit.ids").new_id(), f"test:{name}")
    async with cast("ModuleType", db).write(scope) as c:
        await _hub("access.repository").add_tenant(c, scope, name)
    return cast("object", scope)


async def make_template(server: PostgresForTests) -> None:
    """What copies are made of: the whole schema and no rows."""
    await server.admin(f"CREATE DATABASE {_TEMPLATE}")
    await migrate(server.urls(_TEMPLATE).hub)


def as_owner(url: str) -> str:
    """The same database as the owner of its tables, the server's superuser."""
    return url.replace("//periplus_hub@", "//periplus@")


async def migrate(url: str) -> None:
    """Bring the schema up to date for the hub's role, to whom the URL belongs."""
    await _hub("kit.migrate").upgrade(as_owner(url), "periplus_hub")


def all_tables() -> ModuleType:
    """`kit.tables`, whose `metadata` then has the tables of every slice."""
    [package] = _hub("").__path__
    for path in Path(package).rglob("tables.py"):
        _hub(".".join(path.relative_to(package).with_suffix("").parts))
    return _hub("kit.tables")


def _hub(name: str) -> ModuleType:
    return importlib.import_module(f"periplus_hub.{name}".rstrip("."))
