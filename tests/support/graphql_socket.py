"""A websocket client without a socket: the ASGI messages of both sides in two queues."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from periplus_hub.api.graphql_app import GraphQLApp


class Client:
    """The far side of one connection."""

    def __init__(self) -> None:
        self.to_hub: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.from_hub: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()

    async def send(self, **message: object) -> None:
        await self.text(json.dumps(message))

    async def text(self, text: str) -> None:
        await self.to_hub.put({"type": "websocket.receive", "text": text})

    async def next(self) -> dict[str, Any]:
        """The next message, or `{"closed": code}`."""
        event = await asyncio.wait_for(self.from_hub.get(), 10)
        if event["type"] == "websocket.close":
            return {"closed": event["code"], "reason": event.get("reason")}
        message: dict[str, Any] = json.loads(event["text"])
        return message


@asynccontextmanager
async def connected(
    app: GraphQLApp, *protocols: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    """A connection on which the hub has answered the handshake (the answer is read unless it refused)."""
    client = Client()
    scope: dict[str, Any] = {
        "type": "websocket", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "subprotocols": list(protocols), "scheme": "ws", "client": None, "server": None, "root_path": "",
    }  # fmt: skip
    await client.to_hub.put({"type": "websocket.connect"})
    task = asyncio.ensure_future(app(scope, client.to_hub.get, client.from_hub.put))
    try:
        if "graphql-transport-ws" in protocols:
            assert (await client.from_hub.get())["type"] == "websocket.accept"
        yield client
    finally:
        await client.to_hub.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(task, 10)
