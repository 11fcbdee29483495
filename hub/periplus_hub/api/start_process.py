"""Starting a hub process: its store comes up while the rest of the hub is still being loaded.

Half of a hub's start is importing, the other half is PostgreSQL; two cores can do both at once.
"""

import asyncio
import gc
import importlib
from typing import Final, Literal

import uvloop

from periplus_contract.log_lines import tell_of_the_rest
from periplus_contract.native_stderr import separate_native_stderr
from periplus_hub.api.config import HubConfig
from periplus_hub.api.open_database import open_database
from periplus_hub.kit import logs
from periplus_hub.kit.errors import Refusal

Action = Literal["serve", "work", "migrate", "admin_token", "add_tenant", "list_tenants"]
_AT_ONCE: Final = frozenset({"admin_token", "add_tenant", "list_tenants"})
"""What is done beside a running hub, and answered."""


def run(action: Action, config: HubConfig, *arguments: str) -> str | None:
    """Run one of `periplus_hub.api.serve` to its end; returns what it has to tell. Raises Refusal."""
    separate_native_stderr()
    tell_of_the_rest()
    return uvloop.run(start(action, config, *arguments))


async def start(action: Action, config: HubConfig, *arguments: str) -> str | None:
    """The same inside a running loop."""
    level = "warning" if action in _AT_ONCE else config.log_level
    logs.configure(level, config.log_format)
    if action == "work" and config.embedded:
        raise Refusal(
            "'hub work' needs a database it can share with 'hub serve'",
            "Set PERIPLUS_DATABASE_URL, or run 'hub serve --all-in-one'.",
        )
    gc.disable()  # what is loaded stays: looking for garbage in it, now, later and at the end, is wasted
    loading = asyncio.get_running_loop().run_in_executor(None, importlib.import_module, "periplus_hub.api.serve")
    async with open_database(config, join_running=action in _AT_ONCE) as urls:
        process = getattr(await loading, action)
        gc.freeze()
        gc.enable()
        answer: str | None = await process(config, urls, *arguments)
        return answer
