"""What a backup is taken of, as the settings say: the same for the command and for the schedule."""

from importlib.metadata import version

from periplus_hub.api.config import HubConfig
from periplus_hub.backups.service_backup import Source
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_urls import Urls


def source_of(
    config: HubConfig, urls: Urls, db: Database, store: ColumnStore, *, with_flows: bool | None = None
) -> Source:
    """With flows as `backup_flows` says, unless somebody says otherwise."""
    given = config.backup_database_url
    url = given.get_secret_value() if given is not None else urls.owner
    flows = config.backup_flows if with_flows is None else with_flows
    return Source(db, url, store, config.flow_backup_place, version("periplus-hub"), flows)
