"""A cluster that was read whole, and nobody there says which range its pods may use: no all-clear from `overlaps`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, update

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import Database

from tests.support.batches import upsert
from tests.support.overlap_fleet import Fleet
from tests.support.terminal import FleetTerminal as Terminal
from tests.support.terminal import asking

RANGES = {"shop": "10.1.0.0/24", "crm": "10.2.0.0/24"}
"""No two of them overlap, as far as anybody knows."""
POD_RANGE = "ipam/pod-range"
MESSAGE = "which range its pods may use is not known (network plugin: weave)"
REMEDY = "Run 'periplus-spoke check' there."
NOT_KNOWN = {"state": "failed", "reason": "range_not_known", "message": MESSAGE, "remedy": REMEDY}
ALL_CLEAR = "no overlapping address ranges"

pytestmark = pytest.mark.promise("no-false-all-clear")


class Terminal(Terminal):
    async def tells(self, name: str, **pod_range: str) -> None:
        """The cluster was read whole; `pod_range` is how it went with the range of its pods."""
        member, spoke = self.fleet.members[name]
        rows = [upsert(each, state="ok", objects=1) for each in FEEDING]
        await member.send(spoke.snapshot({"sources": [*rows, upsert(POD_RANGE, **pod_range)]}))
        async with self.fleet.db.write(self.fleet.scope) as c:
            await c.execute(update(registrations).values(last_seen_at=func.now()))


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    fleet = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    found = Terminal({}, fleet)
    for name, cidr in RANGES.items():
        await fleet.cluster(name, ("pod", cidr))
        await found.tells(name, state="ok")
    await fleet.settle()
    async with asking(database_url, tmp_path, all_in_one=True) as env:
        found.env = env
        yield found
    fleet.door.intake.close()


async def test_a_range_that_nobody_knows_keeps_the_table_and_the_summary_from_an_all_clear(terminal: Terminal) -> None:
    clear = (await terminal.type("overlaps")).stdout
    assert f"2 of 2 clusters complete · {ALL_CLEAR}" in clear
    await terminal.tells("crm", **NOT_KNOWN)
    shown = (await terminal.type("overlaps")).stdout
    assert ALL_CLEAR not in shown
    assert "1 of 2 clusters complete · no overlap in what is known, which is not all" in shown
    assert f"not known: crm (incomplete: {POD_RANGE})" in shown
    lines = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert (lines["shop"][1], lines["crm"][1]) == ("complete", "incomplete")
    assert MESSAGE in shown
    assert REMEDY in shown
    assert "[range_not_known]" in shown


@pytest.mark.parametrize("asked", [(), ("--cluster", "crm"), ("--severity", "conflict"), ("--joined", "shop,crm")])
async def test_however_it_is_asked_nothing_is_said_to_be_clear(terminal: Terminal, asked: tuple[str, ...]) -> None:
    await terminal.type("overlaps", *asked, "--fail-on", "latent")
    await terminal.tells("crm", **NOT_KNOWN)
    refused = await terminal.type("overlaps", *asked, "--fail-on", "latent", code=1)
    assert ALL_CLEAR not in refused.stdout
    assert f"crm (incomplete: {POD_RANGE})" in refused.stderr


async def test_the_document_names_the_range(terminal: Terminal) -> None:
    await terminal.tells("crm", **NOT_KNOWN)
    document: Any = json.loads((await terminal.type("overlaps", "--json")).stdout)
    assert (document["complete"], document["completeClusters"]) == (False, 1)
    assert document["unknown"] == [f"crm (incomplete: {POD_RANGE})"]
    lines = {each["name"]: each for each in document["clusters"]}
    assert {name: line["state"] for name, line in lines.items()} == {"shop": "complete", "crm": "incomplete"}
    assert lines["crm"]["missing"] == [{"source": POD_RANGE, **NOT_KNOWN}]
    refused = await terminal.type("overlaps", "--json", "--fail-on", "conflict", code=1)
    assert json.loads(refused.stdout)["complete"] is False


async def test_a_range_that_is_known_again_clears_it(terminal: Terminal) -> None:
    await terminal.tells("crm", **NOT_KNOWN)
    await terminal.type("overlaps", "--fail-on", "latent", code=1)
    await terminal.tells("crm", state="ok")
    assert ALL_CLEAR in (await terminal.type("overlaps", "--fail-on", "latent")).stdout
