"""`periplus dependencies` and `periplus coverage` against a hub that takes flows from spokes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.start_process import start
from periplus_hub.flows import repository_blocks
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.flow_hub import BOTH, Flow, Peer, bytes_of, seal_flows
from tests.support.hub_child import enrolled
from tests.support.hub_process import config_for, hub
from tests.support.spokes_door import Member
from tests.support.terminal import Terminal

WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")


@pytest.fixture
async def live_db(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SystemClock())
    yield opened
    await opened.dispose()


@pytest.fixture
async def scope(live_db: Database) -> Scope:
    return system_scope(await ensure_default_tenant(live_db), "test")


@pytest.fixture
async def desk(
    database_url: str, live_db: Database, scope: Scope, tmp_path: Path
) -> AsyncIterator[tuple[Terminal, Member]]:
    config = config_for(database_url, tmp_path, all_in_one=True)
    async with hub(config) as ready, httpx.AsyncClient(base_url=ready["spokes_url"], timeout=60) as http:
        token = str(await start("admin_token", config))
        terminal = Terminal({"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "COLUMNS": "200"})
        yield terminal, await enrolled(live_db, http, scope)


async def until_rolled(db: Database, scope: Scope) -> None:
    async with asyncio.timeout(60):
        while True:
            async with db.read(scope) as c:
                if await repository_blocks.has_hours(c, scope) and not await repository_blocks.dirty_hours(c, scope, 0):
                    return
            await asyncio.sleep(0.1)


async def links_are_printed(terminal: Terminal) -> None:
    assert (await terminal.type("cluster-links")).stdout == "Nothing is known to pass between clusters.\n"
    zones = await terminal.type("cluster-links", "--by", "zone")
    assert zones.stdout.splitlines()[1].split()[:4] == ["not", "known", "not", "known"]
    assert "not known is every end whose zone is not known: two of them may be in one" in zones.stderr
    [link] = (await terminal.documents("cluster-links", "--by", "region"))["links"]
    assert (link["clusterA"], link["placeB"]["isKnown"], link["bytesAToB"]) == (None, False, 1_234_567)


async def evidence_is_printed(terminal: Terminal, at: int) -> None:
    ends = ("--from", "shop/web@prod-1", "--to", "shop/api@prod-1")
    shown = await terminal.type("dependencies", *ends, "--evidence", "last")
    assert "both: 1 rows, 1234567 bytes to, 89 bytes back" in shown.stdout
    row = next(line for line in shown.stdout.splitlines() if "shop/Deployment/web" in line)
    assert [row.split()[-6:], "+60s" in row] == [["1234567", "89", "unknown", "unknown", "3", "unknown"], True]
    hour = datetime.fromtimestamp(at, UTC).isoformat()
    found = (await terminal.documents("dependencies", *ends, "--evidence", hour, "--first", "1"))["inFull"]["evidence"]
    assert (found["state"], found["windowCount"], found["leftOutCount"]) == ("kept", 1, 0)
    assert [(each["reporter"], each["collector"]) for each in found["windows"]] == [("both", "conntrack")]
    assert 1_234_656 in found["minutes"]["bothBytes"]
    old = await terminal.type("dependencies", *ends, "--evidence", "2020-01-01T00:00:00Z")
    assert "are deleted: only edges are left" in old.stderr
    several = await terminal.type("dependencies", "--from", "shop/web", "--evidence", "last")
    assert "--evidence is of one dependency" in several.stderr


async def reach_is_printed(terminal: Terminal) -> None:
    hit = await terminal.type("blast-radius", "shop/api@prod-1")
    assert [line.split()[:3] for line in hit.stdout.splitlines()[1:]] == [["1", "shop/web@prod-1", "shop/api@prod-1"]]
    unhit = await terminal.type("blast-radius", "shop/web")
    assert "depends on it" in unhit.stdout
    assert ("is known" in unhit.stdout) == ("incomplete" in unhit.stderr)
    down = await terminal.documents("blast-radius", "web", "--depends-on", "--depth", "1")
    assert [each["end"]["kind"] for each in down["reached"]] == ["Deployment", "external"]
    assert "not-followed" in [each["gap"] for each in down["incomplete"]]


async def test_what_spokes_tell_is_printed_with_exact_bytes(
    desk: tuple[Terminal, Member], live_db: Database, scope: Scope
) -> None:
    terminal, member = desk
    nothing = await terminal.type("dependencies")
    assert nothing.stdout == "No dependency is known.\n"
    assert "no flows are told by prod-1" in nothing.stderr
    at = int(SystemClock().now().timestamp()) // 60 * 60 - 300
    rows = [Flow(WEB, API, at, BOTH, measures=bytes_of(1_234_567, 89) | {"connections_opened": 3})]
    rows.append(Flow(WEB, Peer("198.51.100.7"), at, measures={"packets_tx": 4}))
    await member.send(seal_flows(Spoke(member.registration), rows))
    await until_rolled(live_db, scope)
    lines = (await terminal.type("dependencies")).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["shop/web@prod-1", "shop/api@prod-1", "TCP", "443", "active", "1234567", "89", "3"],
        ["shop/web@prod-1", "external", "198.51.100.0/24", "TCP", "443", "active", *["unknown"] * 3],
    ]
    [found] = (await terminal.documents("dependencies", "--of", "shop/api@prod-1"))["edges"]
    assert (found["bytesTx"], found["bytesRx"], found["state"]) == (1_234_567, 89, "active")
    assert (found["verdict"], found["failures"]) == ("forwarded", None)
    await evidence_is_printed(terminal, at)
    by_failures = await terminal.type("dependencies", "--from", "shop/web", "--sort", "failures", "--port", "tcp/443")
    assert [line.split()[-1] for line in by_failures.stdout.splitlines()] == ["FAILURES", "unknown", "unknown"]
    assert "2 lines of all, at the end, of which failures is not known" in by_failures.stderr
    [outside] = (await terminal.documents("dependencies", "--to", "198.51.100.0/24"))["edges"]
    assert outside["destination"]["kind"] == "external"
    for narrow in (("--to", "web"), ("--state", "silent"), ("--dropped",), ("--port", "udp")):
        assert (await terminal.type("dependencies", *narrow)).stdout == "No dependency is known.\n"
    coarser = (await terminal.type("dependencies", "--by", "namespace")).stdout.splitlines()[1:]
    assert [line.split()[:2] for line in coarser] == [["shop/@prod-1", "shop/@prod-1"], ["shop/@prod-1", "external"]]
    drawn = await terminal.type("dependency-map", "--by", "workload", "--nodes", "4")
    assert [line.split()[:2] for line in drawn.stdout.splitlines()[1:]] == [
        ["shop/@prod-1", "shop/api@prod-1"],
        ["shop/@prod-1", "everything"],
    ]
    told = await terminal.documents("dependency-map")
    assert told["nodes"]["levels"] == ["cluster", "cluster", "namespace"]
    assert told["nodes"]["endKinds"] == ["external", "", ""]
    assert told["edges"]["sums"]["bytesTx"] == [1_234_567, None]
    await links_are_printed(terminal)
    await reach_is_printed(terminal)
    known = await terminal.type("coverage")
    assert known.stdout.splitlines()[1].split()[0] == "prod-1"
    assert "coverage" in known.stderr
    hours = await terminal.type("coverage", "--cluster", "prod-1", "--since", "3h")
    assert "not known" in hours.stdout
    assert "does not add up: " in hours.stderr
    [*_, told] = filter(None, (each["completeness"] for each in await hours_of(terminal)))
    assert (told["collected"], told["settled"], told["queued"]) == (0, told["excess"], None)


async def hours_of(terminal: Terminal) -> list[dict[str, Any]]:
    found = await terminal.documents("coverage", "--cluster", "prod-1", "--since", "3h")
    assert len(found["completenessByHour"]) >= 3
    return list(found["completenessByHour"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--of", "/"), "names nothing"),
        (("--from", "@"), "--from '@' names nothing"),
        (("--port", "443/444"), "is no port"),
        (("--port", "70000"), "is no port"),
        (("--state", "gone"), "Use one of active, new, silent, unknown."),
        (("--sort", "size"), "there is no order"),
        (("--since", "soon"), "is no time"),
        (("--evidence", "then"), "is no time"),
        (("--by", "pod"), "there is no level"),
    ],
)
async def test_what_cannot_be_asked_is_said(desk: tuple[Terminal, Member], words: tuple[str, ...], why: str) -> None:
    terminal, _ = desk
    assert why in (await terminal.type("dependencies", *words, code=64)).stderr
