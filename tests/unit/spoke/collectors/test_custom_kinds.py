"""Custom kinds: read where they are served, and in one API group only where two have the same objects."""

import json
from collections.abc import Mapping
from typing import cast

from periplus_spoke.collectors.custom import CustomKinds
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.calico import POOLS
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import KubeProblem


class EveryKind:
    """A client of an API server that has one object of every kind."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        self.paths.append(path)
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
