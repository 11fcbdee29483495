"""`periplus overlaps` and the lists against a real hub: what is narrowed, what is joined, and what scripts are told."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, text, update

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.fleet.tables import registrations
from periplus_hub.inventory import tables as inventory
from periplus_hub.kit.db import Database

from tests.support.batches import upsert
from tests.support.overlap_fleet import Fleet
from tests.support.terminal import FleetTerminal as Terminal
from tests.support.terminal import asking

RANGES = {"shop": "10.1.0.0/24", "crm": "10.1.0.0/24", "hr": "10.2.0.0/24", "lab": "10.2.0.0/24"}
"""shop and crm collide, hr and lab collide."""


class Terminal(Terminal):
    async def report(self, *arguments: str) -> Any:
        return await self.documents("overlaps", *arguments)

    async def follows(self) -> None:
        """Until the groups follow from the domains as they are; the hub's own job does it."""
        async with asyncio.timeout(30):
            while True:
                if not (await self.report("--severity", "conflict"))["unknown"]:
                    return
                await asyncio.sleep(0.1)  # the job tells only subscribers

    async def heard(self, ago: str, *names: str) -> None:
        """The spokes of these clusters last spoke so long ago."""
        async with self.fleet.db.write(self.fleet.scope) as c:
            spoke = update(registrations).where(registrations.c.name.in_(names))
            await c.execute(spoke.values(last_seen_at=func.now() - text(f"interval '{ago}'")))


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    fleet = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    for name, cidr in RANGES.items():
        await fleet.cluster(name, ("pod", cidr))
        member, spoke = fleet.members[name]
        sources = [upsert(each, state="ok", objects=1) for each in FEEDING]
        await member.send(spoke.snapshot({"sources": sources}))
    await fleet.settle()
    fleet.door.intake.close()
    async with asking(database_url, tmp_path, all_in_one=True) as env:
        found = Terminal(env, fleet)
        await found.heard("1 second", *RANGES)
        yield found


def groups(report: Any) -> list[tuple[str, str]]:
    return [(each["cidr"], each["severity"]) for each in report["overlapGroups"]]


async def test_what_is_asked_for_is_what_is_shown(terminal: Terminal) -> None:
    whole = await terminal.report()
    assert (whole["complete"], whole["completeClusters"], whole["unknown"]) == (True, 4, [])
    assert groups(whole) == [("10.1.0.0/24", "latent"), ("10.2.0.0/24", "latent")]
    assert groups(await terminal.report("--cluster", "shop")) == [("10.1.0.0/24", "latent")]
    assert groups(await terminal.report("--domain", "hr")) == [("10.2.0.0/24", "latent")]
    assert groups(await terminal.report("--severity", "conflict")) == []
    assert len(groups(await terminal.report("--severity", "conflict", "--severity", "latent"))) == 2
    narrowed = (await terminal.type("overlaps", "--severity", "conflict")).stdout
    assert "no overlapping address ranges of those asked for" in narrowed
    assert "only severity conflict" in narrowed
    assert "there is no network domain 'nope'" in (await terminal.type("overlaps", "--domain", "nope", code=1)).stderr


async def test_every_overlap_says_whom_it_stops(terminal: Terminal) -> None:
    """Of pods of which nobody knows how they leave their cluster: routes may meet them."""
    found = (await terminal.report("--joined", "shop,crm"))["overlapGroups"][0]
    assert found["stops"] == ["cilium-cluster-mesh", "submariner", "istio-flat", "linkerd-flat"]
    assert found["mayStop"] == ["antrea", "vpc-peering", "transit-gateway", "plain-routing"]
    assert found["doesNotStop"] == ["submariner-globalnet", "istio-multi-network", "linkerd-gateway", "skupper"]
    stored = (await terminal.report("--cluster", "shop"))["overlapGroups"][0]
    assert [stored[name] for name in ("stops", "mayStop")] == [found[name] for name in ("stops", "mayStop")]
    text = " ".join((await terminal.type("overlaps", "--joined", "shop,crm")).stdout.split())
    for line in (
        "stops all meshes on a flat network (4)",
        "may stop all routes between networks (3), Antrea Multi-cluster",
        "does not stop ways behind gateways or translation (4)",
    ):
        assert line in text


async def test_some_clusters_are_asked_about_as_joined(terminal: Terminal) -> None:
    pair = await terminal.report("--joined", "shop,crm")
    assert groups(pair) == [("10.1.0.0/24", "blocks-federation")]
    assert [each["name"] for each in pair["clusters"]] == ["shop", "crm"]
    assert groups(await terminal.report("--joined", "shop", "--joined", "hr")) == []
    assert len(groups(await terminal.report("--joined", "all"))) == 2
    for few, said in (("shop", "'shop' names one cluster"), ("", "'' names no cluster"), (",", "',' names no cluster")):
        refused = (await terminal.type("overlaps", "--joined", few, code=1)).stderr
        assert said in refused
        assert "Name at least two, as in --joined a,b, or all: --joined all." in refused
    await terminal.type("overlaps", "--joined", "shop,crm", "--fail-on", "blocks-federation", code=2)
    await terminal.type("overlaps", "--joined", "shop,hr", "--fail-on", "latent")


async def test_what_people_entered_is_told_with_its_network_domain(terminal: Terminal) -> None:
    await terminal.type("ranges", "add", "10.1.0.0/16", "--domain", "shop", "--use", "office")
    await terminal.follows()
    (found,) = [each for each in (await terminal.report())["overlapGroups"] if each["cidr"] == "10.1.0.0/16"]
    domains = {each["cluster"]: each["networkDomain"] for each in found["clusters"]}
    assert domains == {"shop": "shop", "crm": "crm", "entered in shop": "shop"}


@pytest.mark.promise("no-false-all-clear")
async def test_a_silent_cluster_is_stale_everywhere(terminal: Terminal) -> None:
    await terminal.type("overlaps", "--fail-on", "conflict")
    await terminal.heard("2 hours", "lab")
    shown = await terminal.report()
    line = next(each for each in shown["clusters"] if each["name"] == "lab")
    assert (line["state"], line["reason"]) == ("stale", "silent")
    assert line["lastHeard"] == max(each["lastHeard"] for each in shown["clusters"] if each["name"] == "lab")
    assert shown["complete"] is False
    text_shown = (await terminal.type("overlaps", "--severity", "conflict")).stdout
    assert "no overlapping address ranges" not in text_shown
    assert "3 of 4 clusters complete" in text_shown
    assert "lab (stale, last heard 2" in text_shown
    refused = await terminal.type("overlaps", "--fail-on", "conflict", code=1)
    assert "lab (stale" in refused.stderr
    await terminal.type("overlaps", "--fail-on", "latent", code=2)
    await terminal.type("overlaps", "--joined", "shop,hr", "--fail-on", "latent")
    listed = {each["name"]: each for each in json.loads((await terminal.type("clusters", "list", "--json")).stdout)}
    assert (listed["lab"]["state"], listed["shop"]["state"]) == ("stale", "complete")
    assert "stale" in (await terminal.type("clusters", "list")).stdout
    assert "stale" in (await terminal.type("clusters", "show", "lab")).stdout


@pytest.mark.promise("no-false-all-clear")
async def test_a_silent_cluster_that_was_incomplete_before_has_both_reasons_everywhere(terminal: Terminal) -> None:
    table, lab = inventory.sources, terminal.fleet.registration("lab")
    async with terminal.fleet.db.write(terminal.fleet.scope) as c:
        nodes = update(table).where(table.c.registration_id == lab, table.c.uid == "nodes")
        await c.execute(nodes.values(state="forbidden"))
    await terminal.heard("2 hours", "lab")
    line = next(each for each in (await terminal.report())["clusters"] if each["name"] == "lab")
    assert (line["state"], [each["source"] for each in line["missing"]]) == ("stale", ["nodes"])
    both = re.compile(r"lab \(stale, last heard [^)]*; without nodes\)")
    [unknown] = (await terminal.report())["unknown"]
    assert both.fullmatch(unknown)
    assert both.search((await terminal.type("overlaps")).stdout)
    assert both.search((await terminal.type("overlaps", "--fail-on", "conflict", code=1)).stderr)
    joined = ("overlaps", "--joined", "lab,shop", "--fail-on", "conflict")
    assert both.search((await terminal.type(*joined, code=1)).stderr)
    shown = (await terminal.type("clusters", "show", "lab")).stdout
    assert "stale" in shown
    assert "nodes" in shown


async def test_a_conflict_and_its_latent_twin_are_told_apart(terminal: Terminal) -> None:
    await terminal.type("domains", "create", "vpc")
    await terminal.type("domains", "move", "vpc", "shop", "crm")
    await terminal.follows()
    shown = (await terminal.type("overlaps")).stdout
    assert "vpc: crm (pod), shop (pod)" in shown
    assert "hr (pod) · lab (pod)" in shown
    assert shown.count("    since             2") == 2
    assert "as of 2" in shown


async def test_the_report_says_who_moves_where(terminal: Terminal) -> None:
    shown = await terminal.report()
    moves = [move for each in shown["overlapGroups"] for move in each["moves"]]
    free = [cidr for each in shown["overlapGroups"] for cidr in each["freeRanges"]]
    assert [(each["cluster"], each["kind"]) for each in moves] == [("shop", "pod"), ("lab", "pod")]
    assert free == [each["cidr"] for each in moves]
    assert len({ip_network(each) for each in free}) == 2
    assert f"{free[0]} for the pods of shop: " in (await terminal.type("overlaps")).stdout
    assert await terminal.report() | {"asOf": ""} == shown | {"asOf": ""}


async def test_a_plan_is_the_same_until_it_is_reserved_and_then_kept(terminal: Terminal) -> None:
    ask = ("plan", "--cluster", "shop", "--cluster", "new", "--nodes", "5", "--services", "30")
    first = json.loads((await terminal.type(*ask, "--json")).stdout)
    assert json.loads((await terminal.type(*ask, "--json")).stdout) == first
    assert (first["complete"], first["notKnownOf"]) == (True, {"names": [], "count": 0})
    lines = [(each["clusterName"], each["allocationKind"]) for each in first["proposals"]]
    assert lines == [(name, kind) for name in ("shop", "new") for kind in ("pod", "service", "node")]
    taken = json.loads((await terminal.type(*ask, "--reserve", "--expires", "9d", "--json")).stdout)
    assert [each["cidr"] for each in taken["proposals"]] == [each["cidr"] for each in first["proposals"]]
    assert all(each["reservation"] for each in taken["proposals"])
    again = await terminal.type(*ask, "--reserve")
    assert all(each["cidr"] in again.stdout for each in first["proposals"])
    known = json.loads((await terminal.type("plan", "reserved", "--json")).stdout)
    assert len(known) == 6
    for each in known:
        assert "is not reserved any more" in (await terminal.type("plan", "release", each["id"])).stdout
    assert "not reserved any more" in (await terminal.type("plan", "release", known[0]["id"], code=1)).stderr
    assert json.loads((await terminal.type(*ask, "--json")).stdout) == first


@pytest.mark.promise("no-false-all-clear")
async def test_a_plan_beside_what_is_not_known_ends_with_1(terminal: Terminal) -> None:
    await terminal.heard("2 hours", "lab")
    planned = await terminal.type("plan", "--cluster", "shop", code=1)
    assert "not known of: lab" in planned.stderr
    assert "shop" in planned.stdout
    assert json.loads((await terminal.type("plan", "--cluster", "shop", "--json", code=1)).stdout)["notKnownOf"][
        "names"
    ] == ["lab"]


async def test_a_plan_that_cannot_be_made_says_why(terminal: Terminal) -> None:
    assert "for which cluster?" in (await terminal.type("plan", code=64)).stderr
    assert "there is no cluster 'nope'" in (await terminal.type("plan", "--cluster", "nope", code=1)).stderr
    long = ("plan", "--cluster", "a", "--reserve", "--expires", "x")
    assert "is no number of days" in (await terminal.type(*long, code=64)).stderr
    huge = ("plan", "--cluster", "new", "--nodes", "900000", "--services", "1", "--reserve")
    refused = await terminal.type(*huge, code=1)
    assert "no range for the pods of new: no room in private space for a /8" in refused.stderr
    assert "nothing was reserved" in refused.stderr
    assert "No range is reserved." in (await terminal.type("plan", "reserved")).stdout


@pytest.mark.promise("no-false-all-clear")
async def test_overlaps_that_were_never_computed_are_not_none(database_url: str, db: Database, tmp_path: Path) -> None:
    """A hub that serves, and nobody who works."""
    fleet = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    for name in ("shop", "crm"):
        await fleet.cluster(name, ("pod", RANGES[name]))
        member, spoke = fleet.members[name]
        await member.send(spoke.snapshot({"sources": [upsert(each, state="ok", objects=1) for each in FEEDING]}))
    fleet.door.intake.close()
    async with asking(database_url, tmp_path) as env:
        asker = Terminal(env, fleet)
        await asker.heard("1 second", *RANGES)
        for options in ((), ("--fail-on", "conflict"), ("--json",)):
            refused = await asker.type("overlaps", *options, code=1)
            assert refused.stdout == ""
            assert "never computed" in refused.stderr
            assert "periplus hub work" in refused.stderr
        await asker.type("overlaps", "--joined", "shop,crm", "--fail-on", "latent", code=2)


async def test_preflight_ends_as_its_verdict_says_and_writes_a_file_for_ci(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    asked = ("preflight", "--cluster", "shop,crm", "--into")
    found = json.loads((await terminal.type(*asked, "submariner", "--json", "--junit", str(file), code=2)).stdout)
    assert (found["verdict"], [way["target"] for way in found["ways"]]) == ("fail", ["submariner"])
    assert found["ways"][0]["rules"][0]["ranges"][0]["uses"][0] == {"clusterName": "crm", "kinds": ["pod"]}
    assert b'<failure message="No two clusters' in file.read_bytes()
    assert "Skupper: pass" in (await terminal.type(*asked, "skupper")).stdout
    await terminal.type(*asked, "plain-routing", code=1)
    text = (await terminal.type("preflight", "--into", "all", code=2)).stdout
    assert "4 clusters (crm, hr, lab, shop)" in text
    planned = ("--plan", "new:pod=10.9.0.0/24,service=10.8.0.0/24,node=10.7.0.0/24")
    await terminal.type("preflight", "--cluster", "shop", *planned, "--into", "submariner")
    nowhere = ("--junit", str(tmp_path / "none" / "report.xml"))
    assert "cannot be written" in (await terminal.type(*asked, "skupper", *nowhere, code=1)).stderr
    assert (
        "no cluster 'nope'" in (await terminal.type("preflight", "--into", "all", "--cluster", "nope", code=1)).stderr
    )


async def test_preflight_trusts_what_is_entered_and_whoever_asks(terminal: Terminal, tmp_path: Path) -> None:
    """Clusters by id, a plan in a network, and the word that all networks are entered."""
    file, shop = tmp_path / "report.xml", terminal.fleet.id_of("shop")
    asked = ("preflight", "--cluster", f"{shop},hr", "--cluster", "shop", "--into", "plain-routing", "--json")
    found = json.loads((await terminal.type(*asked, "--junit", str(file), code=1)).stdout)
    assert (found["clusters"]["names"], len(found["notLookedAt"])) == (["hr", "shop"], 1)
    assert "Firewalls" in found["notLookedAt"][0]
    assert b'<property name="not looked at" value="Firewalls' in file.read_bytes()
    (rule,) = (each for each in found["ways"][0]["rules"] if each["name"] == "other-networks-known")
    assert (rule["verdict"], "--networks-entered" in rule["lacks"][0]) == ("unknown", True)
    trusted = json.loads((await terminal.type(*asked, "--networks-entered")).stdout)
    assert trusted["verdict"] == "pass"
    office = ("ranges", "add", "10.1.0.0/25", "--domain", "hr", "--use", "office", "--owner", "ann", "--note", "ask")
    await terminal.type(*office)
    text = " ".join(
        (await terminal.type("preflight", "--cluster", "shop,hr", "--into", "submariner", code=2)).stdout.split()
    )
    assert "in the way 10.1.0.0/25 office of ann in hr (ask) · shop (pod)" in text
    assert "Where what people entered is wrong or over" in text
    planned = "new:domain=hr,pod=10.9.0.0/24,service=10.8.0.0/24,node=10.7.0.0/24"
    await terminal.type("preflight", "--cluster", "hr", "--plan", planned, "--into", "submariner")
    nowhere = await terminal.type("preflight", "--plan", "new:domain=nope", "--into", "submariner", code=1)
    assert "there is no network domain 'nope'" in nowhere.stderr
    await terminal.type("plan", "--cluster", "new", "--nodes", "2", "--services", "9", "--reserve")
    named = json.loads(
        (await terminal.type("preflight", "--cluster", "hr", "--plan", "new", "--into", "submariner", "--json")).stdout
    )
    assert (named["verdict"], named["notKnownWhole"]["count"]) == ("pass", 0)
