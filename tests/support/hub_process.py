"""A whole hub inside the test's own process: its three listeners on free ports, on a database of the test's own."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from periplus_hub.api.config import HubConfig
from periplus_hub.api.start_process import start

from tests.support.unhurried import unhurried


def config_for(database_url: str, folder: Path, **settings: Any) -> HubConfig:
    """Free ports, a ready file, no waiting."""
    given = {
        "database_url": database_url,
        "data_dir": folder,
        "ready_file": folder / "ready.json",
        "spokes_port": 0,
        "api_port": 0,
        "metrics_port": 0,
        "drain_s": 2,
        "log_level": "error",
    }
    return HubConfig.model_validate(given | settings)


@asynccontextmanager
async def hub(config: HubConfig) -> AsyncIterator[dict[str, Any]]:
    """The ready file's content while the hub runs; it ends by SIGTERM, as everywhere."""
    with unhurried():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(start("serve", config))
            yield await started(task, config)
            terminate()


async def started(task: "asyncio.Task[str | None]", config: HubConfig) -> dict[str, Any]:
    """The ready file's content, once it is there."""
    if config.ready_file is None:
        raise AssertionError("config_for sets it")
    while not config.ready_file.exists():
        if task.done():
            return {}  # the task group says why
        await asyncio.sleep(0.01)
    found: dict[str, Any] = json.loads(config.ready_file.read_text())
    return found


def terminate() -> None:
    """SIGTERM to this process. Once per hub: after the first, nobody catches the next."""
    os.kill(os.getpid(), signal.SIGTERM)


async def talk(url: str, *parts: bytes) -> bytes:
    """Send raw bytes to a listener and read until it hangs up."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
