"""Checks of a flow store that is a server: whether it lets the hub do what it has to."""

from typing import Any, Final
from uuid import UUID

from periplus_hub.access.scope import system_scope
from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import Check, State
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.column_store_whole import ask_server
from periplus_hub.kit.errors import Unavailable

_NOBODY: Final = system_scope(UUID(int=0), "doctor")


async def flow_server(config: HubConfig) -> list[Check]:
    """Nothing for an embedded store."""
    store = ColumnStore(
        config.flow_store, memory_bytes=config.flow_store_memory_bytes, cluster=config.flow_store_cluster
    )
    if store.is_embedded:
        return []
    try:
        return [judged(await ask_server(store, _NOBODY))]
    except Unavailable as error:
        return [Check("flow-server", State.FAILED, error.message, "Look at PERIPLUS_FLOW_STORE_URL and the server.")]
    finally:
        await store.close()


def judged(found: dict[str, Any]) -> Check:
    """Of what the server said of itself."""
    what = f"ClickHouse {found['version']}"
    if found["readonly"]:
        return Check("flow-server", State.FAILED, f"{what} lets its user only read", "Set readonly = 0 for the user.")
    if found["stuck_replicas"]:
        some = f"{what} has {found['stuck_replicas']} tables that take no rows"
        return Check("flow-server", State.FAILED, some, "Look at system.replicas, and at Keeper.")
    return Check("flow-server", State.OK, f"{what} answers and takes rows")
