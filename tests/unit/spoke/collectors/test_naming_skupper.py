"""Networks of Skupper: what is behind a listener, of the objects as Skupper's controller writes them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from periplus_spoke.collectors.naming import skupper
from periplus_spoke.collectors.naming.registry import JOINED_KINDS, called, said
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import meaning_rows

from tests.support.kube_api import DEFAULT_COLLECTIONS, FakeKube, Trouble
from tests.support.kube_objects import service
from tests.unit.spoke.collectors.test_collect_cluster import CollectConfig, collecting

Json = dict[str, Any]
EAST, WEST, CELLAR = "5a1c-east", "7d20-west", "99ff-cellar"
SERVICES = {
    ("shop", "pay"): ("10.96.7.1", "fd00::7"),
    ("shop", "ledger"): ("10.96.7.2",),
    ("other", "pay"): ("10.96.7.9",),
}


def record(site_id: str, **connectors: list[str]) -> Json:
    """A site in the status of another, with the hosts that its connectors lead to, by their routing keys."""
    services = [{"routingKey": key, "connectors": hosts} for key, hosts in connectors.items()]
    return {"id": site_id, "name": site_id[5:], "platform": "kubernetes", "version": "2.1.0", "services": services}


def site(namespace: str = "shop", uid: str = EAST, network: list[Json] | None = None) -> Json:
    return {
        "metadata": {"name": "site", "namespace": namespace, "uid": uid},
        "spec": {"linkAccess": "default"},
        "status": {"status": "Ready", "sitesInNetwork": len(network or []), "network": network or []},
    }


def listener(name: str, key: str, namespace: str = "shop") -> Json:
    spec = {"routingKey": key, "host": name, "port": 8080, "type": "tcp"}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": {"hasMatchingConnector": True}}


def connector(key: str, *ips: str, host: str = "") -> Json:
    spec = {"routingKey": key, "port": 8080, **({"host": host} if host else {"selector": f"app={key}"})}
    pods = [{"name": f"{key}-{number}", "ip": ip} for number, ip in enumerate(ips)]
    return {
        "metadata": {"name": key, "namespace": "shop"},
        "spec": spec,
        "status": {"selectedPods": pods, "hasMatchingListener": True},
    }


def told(objects: dict[WantedKind[Any], list[Json]]) -> set[tuple[Any, ...]]:
    """Role, range, kind, namespace, name and clusters of all that they say."""
    found = {
        kind.source: [msgspec.convert(each, type=kind.type) for each in things] for kind, things in objects.items()
    }
    every = {each.source for joined in JOINED_KINDS for each in (joined.kind, *joined.needs)}
    rows = (row for source, meant in said(found, frozenset(every), SERVICES) for _, row in meaning_rows(source, meant))
    return {row[1:] for row in rows}


def listens(cidr: str, key: str, site_id: str) -> tuple[Any, ...]:
    return ("listener", cidr, "ServiceImport", "shop", key, (site_id,))


def offers(cidr: str, key: str, site_id: str = EAST) -> tuple[Any, ...]:
    return ("connector", cidr, "", "", key, (site_id,))


def test_a_listener_is_what_the_sites_with_connectors_of_its_key_offer() -> None:
    network = [record(EAST), record(WEST, pay=["10.2.0.1", "10.2.0.2"], stock=["10.2.0.3"]), record(CELLAR, pay=["db"])]
    objects = {skupper.SITES: [site(network=network)], skupper.LISTENERS: [listener("pay", "pay")]}
    assert told(objects) == {
        listens(cidr, "pay", each) for cidr in ("10.96.7.1/32", "fd00::7/128") for each in (WEST, CELLAR)
    }


@pytest.mark.parametrize(
    ("network", "thing"),
    [
        ([record(WEST)], listener("pay", "pay")),
        ([record(WEST, pay=[])], listener("pay", "pay")),
        ([record(WEST, other=["10.2.0.1"])], listener("pay", "pay")),
        ([record("", pay=["10.2.0.1"])], listener("pay", "pay")),
        ([record(WEST, pay=["10.2.0.1"])], listener("gone", "pay")),
        ([record(WEST, pay=["10.2.0.1"])], listener("pay", "pay", namespace="other")),
        ([], listener("pay", "pay")),
    ],
    ids=["no-service", "no-connector", "other-key", "no-id", "no-host", "other-namespace", "no-network"],
)
def test_a_listener_of_which_nobody_is_known_says_nothing(network: list[Json], thing: Json) -> None:
    assert told({skupper.SITES: [site(network=network)], skupper.LISTENERS: [thing]}) == set()


def test_a_listener_with_several_keys_may_be_each_of_them() -> None:
    network = [record(WEST, blue=["10.2.0.1"]), record(CELLAR, green=["db"])]
    for strategy in (
        {"priority": {"routingKeys": ["blue", "green", "red"]}},
        {"weighted": {"routingKeys": {"blue": 3, "green": 1}}},
    ):
        thing = {
            "metadata": {"name": "any", "namespace": "shop"},
            "spec": {"host": "ledger", "port": 80, "strategy": strategy},
        }
        assert told({skupper.SITES: [site(network=network)], skupper.MULTI_KEY_LISTENERS: [thing]}) == {
            listens("10.96.7.2/32", "blue", WEST),
            listens("10.96.7.2/32", "green", CELLAR),
        }


def test_a_connector_offers_its_pods_or_the_service_that_its_host_names() -> None:
    things = [
        connector("pods", "10.1.0.1", "10.1.0.2"),
        connector("here", host="ledger"),
        connector("there", host="pay.other"),
        connector("whole", host="pay.other.svc.cluster.local"),
        connector("ip", host="192.0.2.9"),
        connector("name", host="db.example.com"),
        connector("short", host="missing"),
    ]
    assert told({skupper.SITES: [site()], skupper.CONNECTORS: things}) == {
        offers("10.1.0.1/32", "pods"),
        offers("10.1.0.2/32", "pods"),
        offers("10.96.7.2/32", "here"),
        offers("10.96.7.9/32", "there"),
        offers("10.96.7.9/32", "whole"),
        offers("192.0.2.9/32", "ip"),
    }
    assert told({skupper.SITES: [site(namespace="other")], skupper.CONNECTORS: things}) == set()


def attached(namespace: str, site_namespace: str) -> Json:
    return {
        "metadata": {"name": "pay", "namespace": namespace},
        "spec": {"siteNamespace": site_namespace, "selector": "app=pay", "port": 8080},
        "status": {"selectedPods": [{"name": "pay-1", "ip": f"10.1.{len(namespace)}.1"}]},
    }


def test_a_site_offers_pods_of_another_namespace_where_both_say_so() -> None:
    binding = {
        "metadata": {"name": "pay", "namespace": "shop"},
        "spec": {"connectorNamespace": "back", "routingKey": "pay"},
    }
    kinds = {skupper.SITES: [site()], skupper.BINDINGS: [binding]}
    for others, expected in (
        ([attached("back", "shop")], {offers("10.1.4.1/32", "pay")}),
        ([attached("back", "elsewhere")], set()),
        ([attached("front", "shop")], set()),
        ([], set()),
    ):
        assert told(kinds | {skupper.ATTACHED: others}) == expected


def test_links_lead_through_gateways_of_the_other_site() -> None:
    link = {
        "metadata": {"name": "to-west", "namespace": "shop"},
        "spec": {
            "endpoints": [
                {"name": "inter-router", "host": "203.0.113.7", "port": "55671"},
                {"name": "edge", "host": "203.0.113.7", "port": "45671"},
                {"name": "inter-router", "host": "router.example.com", "port": "55671", "group": "2"},
            ]
        },
        "status": {"remoteSiteId": WEST, "remoteSiteName": "west"},
    }
    assert told({skupper.LINKS: [link]}) == {("gateway", "203.0.113.7/32", "Site", "", "west", (WEST,))}
    assert told({skupper.LINKS: [link | {"status": {}}]}) == {("gateway", "203.0.113.7/32", "Site", "", "", ())}


def test_a_cluster_is_called_by_each_of_its_sites() -> None:
    sites = msgspec.convert([site(), site("other", WEST), site("third", "")], type=list[skupper.Site])
    assert called({skupper.SITES.source: sites}) == (f"skupper={EAST}", f"skupper={WEST}")
    assert called({}) == ()


def test_half_written_objects_say_nothing_and_break_nothing() -> None:
    half: list[Json] = [
        {},
        {"metadata": {}},
        {"spec": {}, "status": {}},
        {"status": {"network": [{}, {"services": [{}]}]}},
    ]
    for kind in {each for joined in JOINED_KINDS for each in (joined.kind, *joined.needs)}:
        assert told({skupper.SITES: [site(namespace="")], kind: half}) == set()


async def test_what_is_behind_listeners_is_told_once_sites_may_be_read(tmp_path: Path) -> None:
    group = "/apis/skupper.io/v2alpha1"
    paths = [f"{group}/{kind.plural}" for joined in JOINED_KINDS for kind in (joined.kind, *joined.needs)]
    fake = FakeKube((*DEFAULT_COLLECTIONS, *paths))
    fake.extra_groups = {"skupper.io": ("v2alpha1",)}
    fake.put(f"{group}/sites", site(network=[record(WEST, pay=["10.2.0.1"])]))
    fake.put(f"{group}/listeners", listener("pay", "pay"))
    fake.put("/api/v1/services", service("pay", ("10.96.7.1",), namespace="shop"))
    fake.trouble(f"{group}/sites", Trouble(status=403, times=1))
    config = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=10, facts_interval_s=0.05)
    async with collecting(fake, tmp_path, config) as (hub, collectors):
        await collectors.wait_until_settled()
        assert "meanings/skupper.io/listeners" not in hub.told[0].covers
        await hub.until(lambda h: bool(h.tables.get("meanings")))
        [row] = hub.tables["meanings"].values()
        assert (row["role"], row["cidr"], row["name"], row["clusters"]) == ("listener", "10.96.7.1/32", "pay", (WEST,))
        await hub.until(lambda h: next(iter(h.tables["cluster"].values()))["aliases"] == (f"skupper={EAST}",))
