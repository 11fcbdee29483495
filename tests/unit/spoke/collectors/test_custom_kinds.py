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


class EveryKind:
    """A client of an API server that has one object of every kind."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        self.paths.append(path)
        return json.dumps({"metadata": {}, "items": [{"metadata": {"name": "p"}}]}).encode()


async def paths_read(groups: dict[str, tuple[str, ...]]) -> tuple[list[str], int]:
    client, inventory = EveryKind(), Inventory(LabelFilter())
    inventory.facts.groups = groups
    kinds = CustomKinds(cast("KubeClient", client), inventory, SystemClock(), POOLS)
    found = await kinds.read()
    return client.paths, sum(map(len, found.values()))


async def test_where_two_groups_have_the_same_objects_they_are_read_once() -> None:
    stored, shown = {"crd.projectcalico.org": ("v1",)}, {"projectcalico.org": ("v3",)}
    assert await paths_read(stored) == (["/apis/crd.projectcalico.org/v1/ippools"], 1)
    assert await paths_read(stored | shown) == (["/apis/crd.projectcalico.org/v1/ippools"], 1)
    assert await paths_read(shown) == (["/apis/projectcalico.org/v3/ippools"], 1)
    assert await paths_read({}) == ([], 0)
