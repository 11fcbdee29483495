"""`periplus demo`: twelve simulated clusters through real spokes and a real hub."""

from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest

from tests.support.commands import Outcome, periplus

REAL_LIFE = {
    "PERIPLUS_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/production",
    "PERIPLUS_URL": "http://127.0.0.1:1",
    "PERIPLUS_TOKEN": "x",
    "PERIPLUS_SPOKE_HEALTH_PORT": "1",
}
"""Settings of somebody's real hub and spoke, which a trial must leave alone."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return periplus("demo", "--once", "--json", home=tmp_path_factory.mktemp("home"), **REAL_LIFE)


def owners(group: dict[str, Any]) -> set[str]:
    return {member["cluster"] for member in group["members"]}


def test_every_cluster_is_read(demo: Outcome) -> None:
    assert demo.code == 0, demo.err
    clusters = {cluster["name"]: cluster for cluster in demo.document["clusters"]}
    assert len(clusters) == 12
    assert {cluster["provider"] for cluster in clusters.values()} >= {"aws", "gcp", "azure"}
    assert clusters["shop-dublin"]["nodes"] == 9
    assert all(cluster["pods"] > 0 and cluster["services"] > 0 for cluster in clusters.values())


def test_one_cluster_cannot_tell_its_pod_range_and_says_who_can(demo: Outcome) -> None:
    told = {cluster["name"]: cluster for cluster in demo.document["clusters"]}
    assert {name for name, cluster in told.items() if cluster["state"] != "complete"} == {"analytics-eemshaven"}
    (missing,) = told["analytics-eemshaven"]["missing"]
    assert (missing["source"], missing["reason"]) == ("ipam/pod-range", "range_not_known")
    assert "gcloud container clusters describe" in missing["remedy"]
    assert demo.document["complete"] is False


@pytest.mark.parametrize(
    ("severity", "address", "expected"),
    [
        ("conflict", "10.42.", {"shop-dublin", "shop-frankfurt"}),
        ("conflict", "10.0.", {"crm-amsterdam", "shop-dublin", "payments-dublin"}),
        ("blocks-federation", "10.8.", {"analytics-eemshaven", "training-iowa"}),
        ("latent", "10.244.", {"crm-amsterdam", "hr-dublin", "factory-berlin"}),
        ("latent", "fd00:10:244:", {"platform-lab", "platform-stage"}),
        ("intended", "172.16.10.", {"factory-berlin", "factory-poznan"}),
        ("conflict", "192.168.", {"platform-lab", "platform-stage"}),
    ],
)
def test_the_story_is_told(demo: Outcome, severity: str, address: str, expected: set[str]) -> None:
    found = [
        group
        for group in demo.document["overlapGroups"]
        if group["severity"] == severity and group["cidr"].startswith(address) and expected <= owners(group)
    ]
    assert found, [
        (group["severity"], group["cidr"], sorted(owners(group))) for group in demo.document["overlapGroups"]
    ]
    assert all(group["breaks"] or severity == "intended" for group in found)


@pytest.mark.promise("overlaps-name-whom-they-hurt")
def test_whom_a_conflict_does_not_hurt_yet_is_latent_in_it(demo: Outcome) -> None:
    (found,) = [group for group in demo.document["overlapGroups"] if group["cidr"] == "10.0.0.0/16"]
    assert {hit["cluster"]: (hit["severity"], hit["kinds"]) for hit in found["clusters"]} == {
        "crm-amsterdam": ("conflict", ["service"]),
        "payments-dublin": ("conflict", ["pod", "node"]),
        "shop-dublin": ("conflict", ["node"]),
        "hr-dublin": ("latent", ["service"]),
    }
    assert {member["severity"] for member in found["members"] if member["cluster"] == "hr-dublin"} == {"latent"}


def test_pods_of_a_cluster_over_its_own_nodes_are_a_fault_inside_it(demo: Outcome) -> None:
    (found,) = [group for group in demo.document["overlapGroups"] if group["cidr"] == "192.168.0.0/16"]
    assert {hit["cluster"]: hit["kinds"] for hit in found["clusters"]}["platform-lab"] == ["pod", "node"]
    assert any("A node inside the pod range cannot be reached" in text for text in found["breaks"])


def test_pods_that_two_overlays_of_one_network_hide_are_latent(demo: Outcome) -> None:
    (found,) = [group for group in demo.document["overlapGroups"] if group["cidr"] == "fd00:10:244::/56"]
    assert found["severity"] == "latent"
    assert {hit["networkDomain"] for hit in found["clusters"]} == {"lab-lan"}
    assert {member["reach"] for member in found["members"]} == {"masqueraded"}


def test_pools_of_many_allocators_are_named(demo: Outcome) -> None:
    sources = {
        (member["cluster"], member["source"]) for group in demo.document["overlapGroups"] for member in group["members"]
    }
    assert sources >= {
        ("platform-lab", "IPPool"),
        ("factory-berlin", "IPAddressPool"),
        ("crm-amsterdam", "NodeNetworkConfig"),
        ("training-iowa", "GKENetworkParamSet"),
        ("shop-dublin", "k3s server"),
    }


def test_free_ranges_of_the_whole_report_fit_together(demo: Outcome) -> None:
    free = [ip_network(text) for group in demo.document["overlapGroups"] for text in group["freeRanges"]]
    assert len(free) > 5
    assert not any(one.overlaps(other) for one, other in combinations(free, 2) if one.version == other.version)


def test_groups_only_hold_overlapping_neighbours(demo: Outcome) -> None:
    for group in demo.document["overlapGroups"]:
        assert group["memberCount"] >= 2
        assert len(owners(group)) >= 2, group


def talks(demo: Outcome) -> dict[tuple[str, str], dict[str, Any]]:
    """Who talks to whom, by app@cluster."""
    return {
        (named(edge["source"]), named(edge["destination"])): edge for edge in demo.document["dependencies"]["edges"]
    }


def named(end: dict[str, Any]) -> str:
    return f"{end['name']}@{end['cluster']['name']}"


def test_who_talks_to_whom_is_told_from_both_ends(demo: Outcome) -> None:
    found = talks(demo)
    sizes = [edge["bytesTx"] + edge["bytesRx"] for edge in found.values()]
    assert sizes == sorted(sizes, reverse=True)
    calls = found["cart@shop-dublin", "payments@payments-dublin"]
    assert (calls["state"], calls["onlySeenBy"], calls["ports"]) == ("active", None, [{"protocol": 6, "port": 8443}])
    assert calls["bytesRx"] > calls["bytesTx"] > calls["connectionsOpened"] > calls["failures"] > 0
    assert calls["rttUs"] == 900


def test_a_dependency_fell_silent_and_another_is_new(demo: Outcome) -> None:
    found = talks(demo)
    silent = {ends: edge["silentSince"] for ends, edge in found.items() if edge["state"] == "silent"}
    assert list(silent) == [("search@shop-dublin", "warehouse@data-virginia")]
    assert all(silent.values())
    new = [ends for ends, edge in found.items() if edge["state"] == "new"]
    assert new == [("dashboards@data-virginia", "ledger@payments-dublin")]


def test_calls_from_addresses_of_two_clusters_are_seen_by_one_side_only(demo: Outcome) -> None:
    one_sided = {ends: edge["onlySeenBy"] for ends, edge in talks(demo).items() if edge["onlySeenBy"]}
    assert one_sided == {("storefront@shop-frankfurt", "payments@payments-dublin"): "client"}


def test_what_is_not_known_of_the_flows_is_said(demo: Outcome) -> None:
    coverage = demo.document["dependencies"]["coverage"]
    assert [each["name"] for each in coverage["clustersWithoutFlows"]] == ["hr-dublin"]
    assert coverage["partlyToldClusters"] == [{"name": "platform-stage"}]
    assert 0.9 < coverage["ratio"] < 1
    assert 0 < coverage["unmeasured"] < coverage["observed"]
