"""Where MetalLB has its pools in a ConfigMap: that it may not be read is told only where MetalLB runs."""

import json
from collections.abc import Mapping
from typing import cast

import pytest

from periplus_spoke.collectors.facts import Facts
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.metallb import OLD_CONFIG
from periplus_spoke.conversion.objects import Thing
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.problems import KubeProblem

from tests.support.decoding import decode

SPEAKER = {"metadata": {"name": "speaker", "namespace": "metallb-system"}}


class Api:
    """A client of an API server with this answer for the ConfigMap, and these API groups."""

    def __init__(self, answer: str, *groups: str) -> None:
        self.answer = answer
        self.groups = groups

    async def get(self, path: str, params: Mapping[str, str], accept: str) -> bytes:
        del params, accept
        if path == "/apis":
            groups = [{"name": name, "versions": [{"version": "v1beta1"}]} for name in self.groups]
            return json.dumps({"groups": groups}).encode()
        if path.endswith("/metallb-system/configmaps/config") and self.answer == "ok":
            return json.dumps({"data": {"config": "address-pools: []"}}).encode()
        raise KubeProblem(self.answer if self.answer != "ok" else "not_found", path)


async def read(api: Api, *, speaks: bool) -> tuple[Facts, Inventory]:
    inventory = Inventory(LabelFilter())
    if speaks:
        inventory.workload(decode(Thing, SPEAKER, "speaker"), "DaemonSet", "apps", 1)
    facts = Facts(cast("KubeClient", api), inventory, SystemClock())
    await facts.refresh()
    return facts, inventory


@pytest.mark.parametrize("speaks", [True, False])
async def test_the_config_map_is_read_where_it_may_be(speaks: bool) -> None:
    facts, inventory = await read(Api("ok"), speaks=speaks)
    assert facts.configs[OLD_CONFIG] == {"config": "address-pools: []"}
    assert (OLD_CONFIG in inventory.sources) is speaks


async def test_that_it_may_not_be_read_is_told_only_where_metallb_runs() -> None:
    _, inventory = await read(Api("forbidden"), speaks=False)
    assert OLD_CONFIG not in inventory.sources
    _, inventory = await read(Api("forbidden"), speaks=True)
    told = inventory.sources[OLD_CONFIG]
    assert (told.state, told.reason) == ("forbidden", "forbidden")
    assert "kubectl -n metallb-system create role" in told.remedy


async def test_a_newer_metallb_is_not_asked_for_it() -> None:
    facts, inventory = await read(Api("ok", "metallb.io"), speaks=True)
    assert OLD_CONFIG not in facts.configs
    assert inventory.sources[OLD_CONFIG].state == "absent"


async def test_what_was_refused_is_settled_by_an_upgrade() -> None:
    api = Api("forbidden")
    facts, inventory = await read(api, speaks=True)
    api.groups = ("metallb.io",)
    inventory.forget_workload("speaker", 2)
    await facts.refresh()
    assert inventory.sources[OLD_CONFIG].state == "absent"
