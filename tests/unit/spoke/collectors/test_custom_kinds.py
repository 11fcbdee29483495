"""Custom kinds: read where they are served, and in one API group only where two have the same objects."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from periplus_spoke.collectors.custom import CustomKinds
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.calico_ranges import BLOCKS, POOLS
from periplus_spoke.collectors.ipam.registry import WANTED_KINDS
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.presence import GRACE_US, Listing
from periplus_spoke.conversion.sources import Source
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import KubeProblem

from tests.support.clock import FakeClock


class EveryKind:
    """A client of an API server that has one object of every kind."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.failing = "nothing"

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        self.paths.append(path)
        if path.endswith(self.failing):
            raise KubeProblem("server_error", "scripted")
        return json.dumps({"metadata": {}, "items": [{"metadata": {"name": "p"}}]}).encode()


class NoKind:
    """A client of an API server that serves none of the kinds, though their groups."""

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        raise KubeProblem("not_found", path, "")


def reader(client: object, groups: dict[str, tuple[str, ...]]) -> CustomKinds:
    inventory = Inventory(LabelFilter())
    inventory.facts.groups = groups
    return CustomKinds(cast("KubeClient", client), inventory, SystemClock(), POOLS)


async def paths_read(groups: dict[str, tuple[str, ...]]) -> tuple[list[str], int]:
    client = EveryKind()
    found = await reader(client, groups).read()
    return client.paths, sum(map(len, found.values()))


async def absent(client: object, groups: dict[str, tuple[str, ...]]) -> frozenset[str]:
    kinds = reader(client, groups)
    await kinds.read()
    return kinds.absent


async def test_what_is_not_served_is_known_to_have_no_objects() -> None:
    stored, shown = (kind.source for kind in POOLS)
    assert await absent(EveryKind(), {"crd.projectcalico.org": ("v1",)}) == {shown}
    assert await absent(EveryKind(), {"apps": ("v1",)}) == {stored, shown}
    assert await absent(NoKind(), {"crd.projectcalico.org": ("v1",)}) == {stored, shown}
    assert await absent(EveryKind(), {"crd.projectcalico.org": ("v9",)}) == {
        shown
    }  # there may be some, in a newer form
    assert await absent(EveryKind(), {}) == set()  # the groups could not be asked for


async def test_where_two_groups_have_the_same_objects_they_are_read_once() -> None:
    stored, shown = {"crd.projectcalico.org": ("v1",)}, {"projectcalico.org": ("v3",)}
    assert await paths_read(stored) == (["/apis/crd.projectcalico.org/v1/ippools"], 1)
    assert await paths_read(stored | shown) == (["/apis/crd.projectcalico.org/v1/ippools"], 1)
    assert await paths_read(shown) == (["/apis/projectcalico.org/v3/ippools"], 1)
    assert await paths_read({}) == ([], 0)


async def test_who_is_missing_can_be_told_only_of_kinds_that_were_read_after_pods_and_nodes() -> None:
    clock, inventory = FakeClock(), Inventory(LabelFilter())
    now_us = clock.wall_us()
    client = EveryKind()
    inventory.facts.groups = {"crd.projectcalico.org": ("v1",)}
    kinds = CustomKinds(cast("KubeClient", client), inventory, clock, (*POOLS, *BLOCKS))
    everything = {kind.source for kind in (*POOLS, *BLOCKS)}
    assert kinds.listing is None
    await kinds.read()
    assert kinds.listing == Listing(began_us=now_us, stale=frozenset(everything))
    inventory.listed |= {"pods", "nodes"}
    for name in ("pods", "nodes"):
        inventory.report(name, Source(state="ok"), 0)
    inventory.departures.note("shop/long-gone", now_us - GRACE_US - 1)
    inventory.departures.note("shop/gone", now_us - GRACE_US)
    await kinds.read()
    assert kinds.listing == Listing(began_us=now_us)
    assert inventory.departures.since(0) == {"shop/gone"}
    client.failing = "ipamblocks"
    await kinds.read()
    assert kinds.listing == Listing(began_us=now_us, stale=frozenset({"crd.projectcalico.org/ipamblocks"}))
    inventory.report("pods", Source(state="ok", reason="unknown_shape"), 0)
    await kinds.read()
    assert kinds.listing == Listing(began_us=now_us, stale=frozenset(everything))


class Moved:
    """A client of an API server that has IPPools in v2 alone, while their group has v1 too."""

    def __init__(self) -> None:
        self.refused = False
        self.asked = 0

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        if path == "/apis/crd.projectcalico.org/v2":
            self.asked += 1
            if self.refused:
                raise KubeProblem("server_error", path, "")
            return json.dumps({"resources": [{"name": "ippools", "verbs": ["list"]}]}).encode()
        raise KubeProblem("not_found", path, "")


async def test_a_kind_that_moved_to_a_newer_version_than_its_group_is_not_taken_for_absent() -> None:
    inventory, client = Inventory(LabelFilter()), Moved()
    inventory.facts.groups = {"crd.projectcalico.org": ("v2", "v1")}
    kinds = CustomKinds(cast("KubeClient", client), inventory, SystemClock(), (POOLS[0], BLOCKS[0]))
    assert await kinds.read() == {}
    assert kinds.absent == {"crd.projectcalico.org/ipamblocks"}
    told = inventory.sources["crd.projectcalico.org/ippools"]
    assert (told.state, told.reason) == ("failed", "unknown_version")
    assert told.message == "crd.projectcalico.org is served as v2, and this spoke reads v1"
    assert client.asked == 1
    client.refused = True
    await kinds.read()
    assert (kinds.absent, kinds.has_all) == (frozenset(), False)
    assert inventory.sources["crd.projectcalico.org/ippools"].reason == "server_error"


class PreviousVersion:
    """A client of an API server that has each kind only in the last of the versions that the spoke reads."""

    def __init__(self, kind: WantedKind[Any]) -> None:
        self.path = f"/apis/{kind.group}/{kind.versions[-1]}/{kind.plural}"

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        if path != self.path:
            raise KubeProblem("not_found", path, "")
        return json.dumps({"metadata": {}, "items": [{"metadata": {"name": "p"}}]}).encode()


@pytest.mark.parametrize("kind", WANTED_KINDS, ids=lambda kind: kind.source)
async def test_every_kind_is_read_in_the_oldest_version_that_is_known(kind: WantedKind[Any]) -> None:
    inventory = Inventory(LabelFilter())
    inventory.facts.groups = {kind.group: kind.versions}
    kinds = CustomKinds(cast("KubeClient", PreviousVersion(kind)), inventory, SystemClock(), (kind,))
    assert len((await kinds.read())[kind.source]) == 1
    assert inventory.sources[kind.source].state == "ok"
