"""Fixtures with a real PostgreSQL: one embedded server per test process, one fresh database per test.

The schema is made once, in a template; a test's database is a copy of it. Everything heavy is imported when the first
test asks, so that tests without a database do not pay.
"""

import asyncio
import importlib.util
import itertools
import pkgutil
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import FakeClock

_TEMPLATE = "periplus_template"
_numbers = itertools.count(1)


class PostgresForTests:
    """The server, and databases on it by the copy."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def url(self, database: str) -> str:
        """For `Database`."""
        url: str = self._server.url_of(database)
        return url

    async def admin(self, statement: str) -> None:
        """One statement outside any transaction, as the server's superuser."""
        import asyncpg

        connection = await asyncpg.connect(self.url("postgres").replace("+asyncpg", ""))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def copy(self) -> str:
        """A new database with the whole schema and no rows; returns its URL."""
        name = f"test_{next(_numbers)}"
        await self.admin(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Remove a copy, ending whoever is still connected."""
        name = url.rpartition("/")[2].partition("?")[0]
        await self.admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


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
    from periplus_hub.kit.embedded_postgres import EmbeddedPostgres

    with asyncio.Runner() as runner:
        server = EmbeddedPostgres(open_folder / "server", ephemeral=True)
        runner.run(server.start())
        try:
            found = PostgresForTests(server)
            runner.run(_make_template(found))
            yield found
        finally:
            runner.run(server.stop())


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
async def database_url(postgres: PostgresForTests) -> AsyncIterator[str]:
    """A database of the test's own, with the schema and no rows."""
    url = await postgres.copy()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def db(database_url: str, clock: FakeClock) -> AsyncIterator[Any]:
    """A `Database` on it."""
    from periplus_hub.kit.db import Database

    found = Database(database_url, clock)
    yield found
    await found.dispose()


@pytest.fixture
async def tenant(db: Any) -> Any:
    """An admin's Scope in a tenant of its own."""
    return await _make_tenant(db, "acme")


@pytest.fixture
async def other_tenant(db: Any) -> Any:
    """An admin's Scope in another tenant, for tests that nothing leaks."""
    return await _make_tenant(db, "globex")


async def _make_tenant(db: Any, name: str) -> Any:
    from periplus_hub.access.scope import system_scope
    from periplus_hub.access.tables import tenants
    from periplus_hub.kit.ids import new_id

    tenant_id = new_id()
    async with db.write() as c:
        await c.execute(tenants.insert().values(id=tenant_id, name=name))
    return system_scope(tenant_id, f"test:{name}")


async def _make_template(server: PostgresForTests) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    await server.admin(f"CREATE DATABASE {_TEMPLATE}")
    engine = create_async_engine(server.url(_TEMPLATE))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(all_tables().create_all)
    finally:
        await engine.dispose()


def all_tables() -> Any:
    """The MetaData with the tables of every slice."""
    import periplus_hub
    from periplus_hub.kit.tables import metadata

    for found in pkgutil.iter_modules(periplus_hub.__path__):
        if found.ispkg and importlib.util.find_spec(f"periplus_hub.{found.name}.tables"):
            importlib.import_module(f"periplus_hub.{found.name}.tables")
    return metadata
