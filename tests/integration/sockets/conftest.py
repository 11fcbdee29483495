"""Here every test runs twice: in the hub's own loop and in Python's, which end connections differently."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A hook of pytest-asyncio."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
