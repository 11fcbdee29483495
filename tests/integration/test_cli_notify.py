"""Receivers of findings and the audit trail from the command line, against a real hub."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.kit.db import Database

from tests.support.graphql_hub import seed
from tests.support.terminal import Terminal, asking
from tests.support.web_apps import listening


@pytest.fixture
async def receiver() -> AsyncIterator[str]:
    async def taken(_: web.Request) -> web.Response:
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/takes", taken)
    async with listening(app) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path, receiver: str) -> AsyncIterator[Terminal]:
    await seed(db, system_scope(await ensure_default_tenant(db), "test"))
    named = [("takes", f"{receiver}/takes"), ("refuses", f"{receiver}/se/cret"), ("inside", "https://10.0.0.1/x")]
    lines = (f'[[receiver]]\nname = "{name}"\nkind = "webhook"\nurl = "{url}"\n' for name, url in named)
    (tmp_path / "receivers.toml").write_text("".join(lines))
    settings = {"receivers_file": tmp_path / "receivers.toml", "receivers_networks": ("127.0.0.0/8",)}
    async with asking(database_url, tmp_path, **settings) as env:
        yield Terminal(env)


async def test_receivers_are_listed_and_tested(terminal: Terminal) -> None:
    listed = await terminal.documents("notify", "list")
    assert [(each["name"], each["form"], each["severity"]) for each in listed] == [
        ("inside", "webhook", "warning"), ("refuses", "webhook", "warning"), ("takes", "webhook", "warning"),
    ]  # fmt: skip
    assert "warning and worse" in (await terminal.type("notify", "list")).stdout
    assert (await terminal.type("notify", "test", "takes")).stdout == "'takes' took the test: it answered 202.\n"
    refused = (await terminal.type("notify", "test", "refuses", code=1)).stderr
    assert "'refuses' did not take the test: it answers 404: check its URL" in refused
    assert "cret" not in refused
    inside = (await terminal.type("notify", "test", "inside", code=1)).stderr
    assert "10.0.0.1 leads to 10.0.0.1, which the hub does not call" in " ".join(inside.split())
    assert "there is no receiver 'who'" in (await terminal.type("notify", "test", "who", code=1)).stderr


async def test_the_audit_trail_is_listed_and_exported(terminal: Terminal) -> None:
    await terminal.type("notify", "test", "takes")
    [newest] = json.loads((await terminal.type("audit", "list", "--first", "1", "--json")).stdout)
    assert (newest["action"], newest["objectId"]) == ("person:receiver:test", "NotificationReceiver:takes")
    everything = [json.loads(line) for line in (await terminal.type("audit", "export")).stdout.splitlines()]
    assert everything[0] == newest
    assert len(everything) > 1
    events = (await terminal.type("audit", "export", "--format", "cloudevents", "--since", newest["at"])).stdout
    first = json.loads(events.splitlines()[0])
    assert (first["specversion"], first["id"], first["data"]) == ("1.0", newest["id"], newest)
    assert (await terminal.type("audit", "export", "--until", "2020-01-01")).stdout == ""
    assert "is no time" in (await terminal.type("audit", "list", "--since", "noon", code=64)).stderr
