"""The hub's PostgreSQL: its URLs, and with the embedded one a server that lives as long as the block.

Apart from the rest of the hub, so that the server can start while the rest is still being loaded.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from periplus_hub.api.config import HubConfig
from periplus_hub.embedded_postgres.folder import FOLDER_IN_USE
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres, running_urls
from periplus_hub.kit.db_urls import Urls
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.tasks import beside

FOR_COMMANDS: Final = 8
"""Connections for `periplus hub` commands beside a hub that runs, and for whoever looks with psql."""


@contextlib.asynccontextmanager
async def open_database(config: HubConfig, *, join_running: bool = False) -> AsyncIterator[Urls]:
    """How the database is reached; with the embedded store, for as long as its server runs.

    `join_running` uses the server of a hub that already has the folder, instead of refusing.
    """
    if config.database_url is not None:
        owner = config.migration_database_url or config.database_url
        yield Urls(config.database_url.get_secret_value(), owner.get_secret_value())
        return
    postgres = EmbeddedPostgres(
        config.data_dir,
        ephemeral=config.ephemeral,
        account=config.postgres_account,
        connections=config.most_connections + FOR_COMMANDS,
    )
    try:
        await postgres.start()
    except Refusal as refusal:
        running = running_urls(config.data_dir) if join_running and refusal.slug == FOLDER_IN_USE else None
        if running is None:
            raise
        yield running
        return
    try:
        async with beside(postgres.supervise()):
            yield postgres.urls
    finally:
        await postgres.stop()
