"""How the demonstration's agents reach the hub."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from periplus_hub.api import hub_client
from periplus_hub.api.hub_client import Reply


class Post(Protocol):
    """Sends to a path of the spokes' listener."""

    async def __call__(self, path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises HubCallError where no answer comes."""


def post_to(url: str) -> Post:
    """The Post to the listener at this URL, in threads, as it blocks."""

    async def post(path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        return await asyncio.to_thread(hub_client.post, url, path, content, headers)

    return post
