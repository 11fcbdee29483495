"""What the charts render, for values of every shape, and how they refuse values that cannot be."""

from __future__ import annotations

import re
import tomllib
from collections import ChainMap
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import yaml

from periplus_hub.api.config import HubConfig
from periplus_spoke.kit.config import load

from tests.cluster.rig.admin import ApiError
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.fixtures import ClusterFactory
from tests.cluster.rig.helm import CHARTS, Helm, HelmError
from tests.cluster.rig.polling import wait_for
from tests.cluster.rig.spec import ClusterSpec
from tests.cluster.rig.vendor_kinds import CERT_MANAGER, GATEWAY_API, PROMETHEUS

HUB, SPOKE = "periplus-hub", "periplus-spoke"
PROFILES = [
    (chart, path.name.removesuffix("-values.yaml"))
    for chart in (HUB, SPOKE)
    for path in sorted((CHARTS / chart / "ci").glob("*-values.yaml"))
]
STORES = {
    "database": {"database_url": "postgresql://db.example.org/p"},
    "flowStore": {"flow_store_url": "clickhouse://flows.example.org:8123"},
}
"""What Secrets of ones own give by environment variables."""
OPERATORS = (PROMETHEUS, CERT_MANAGER, GATEWAY_API)
"""Whose kinds the charts use, and no API server has by itself."""
USED = {"Certificate", "HTTPRoute", "PodMonitor", "PrometheusRule", "ServiceMonitor", "TLSRoute"}
PROXY = {"mode": "proxy"}


def values(chart: str, profile: str = "minimal", **over: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHARTS / chart / "ci" / f"{profile}-values.yaml").read_text())
    return found | over


def templates(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and pod template of every workload."""
    for each in objects:
        if "template" in each.get("spec", {}):
            yield each["kind"], each["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def bare_cluster(cluster_factory: ClusterFactory) -> ControlPlane:
    """An API server with the operators' kinds, and nothing that acts on what it has."""
    made = cluster_factory(ClusterSpec(name="charts", node_count=0, has_controllers=False))
    made.admin.create_namespace("net")
    kinds = [each for operator in OPERATORS for each in operator.definitions(print) if is_used(each)]
    assert {each["spec"]["names"]["kind"] for each in kinds} == USED
    for each in kinds:
        made.admin.create(each)
    for each in kinds:
        group, version = each["spec"]["group"], each["spec"]["versions"][0]["name"]
        path = f"/apis/{group}/{version}/{each['spec']['names']['plural']}"
        wait_for(path, lambda path=path: is_served(made, path), timeout_s=60)
    return made


def is_used(definition: dict[str, Any]) -> bool:
    return definition["kind"] == "CustomResourceDefinition" and definition["spec"]["names"]["kind"] in USED


def is_served(plane: ControlPlane, path: str) -> bool:
    try:
        plane.admin.get(path)
    except ApiError as error:
        if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}:  # its storage is being made
            raise
        return False
    return True


@pytest.mark.parametrize("chart", [HUB, SPOKE])
def test_a_chart_has_no_faults_for_lint(helm: Helm, chart: str) -> None:
    for name, profile in PROFILES:
        if name == chart:
            helm.run("lint", "--strict", str(CHARTS / chart), values=values(chart, profile))


@pytest.mark.parametrize(("chart", "profile"), PROFILES)
def test_the_same_values_are_the_same_bytes(helm: Helm, chart: str, profile: str) -> None:
    once = helm.template(chart, values(chart, profile))
    assert helm.template(chart, values(chart, profile)) == once


@pytest.mark.parametrize(("chart", "profile"), PROFILES)
def test_an_api_server_takes_every_object(helm: Helm, bare_cluster: ControlPlane, chart: str, profile: str) -> None:
    """Strictly: a field that is misspelt or given twice is refused."""
    objects = helm.objects(chart, values(chart, profile))
    for each in objects:
        bare_cluster.admin.dry_run(each)
    bare = [each for each in objects if "namespace" not in each["metadata"]]
    assert {each["kind"] for each in bare} <= {"ClusterRole", "ClusterRoleBinding"}


def test_the_profiles_render_every_kind_of_the_operators_and_a_misspelt_field_is_found(
    helm: Helm, bare_cluster: ControlPlane
) -> None:
    theirs = {
        each["kind"]: each for one in PROFILES for each in helm.objects(one[0], values(*one)) if each["kind"] in USED
    }
    assert theirs.keys() == USED
    for each in theirs.values():
        with pytest.raises(ApiError, match="missspelt"):
            bare_cluster.admin.dry_run({**each, "spec": {**each["spec"], "missspelt": 1}})


@pytest.mark.parametrize(("chart", "profile"), PROFILES)
def test_every_pod_but_an_agent_of_nodes_is_restricted(helm: Helm, chart: str, profile: str) -> None:
    found = list(templates(helm.objects(chart, values(chart, profile))))
    assert found
    for kind, spec in found:
        (container,) = spec["containers"]
        security = container["securityContext"]
        on_nodes = kind == "DaemonSet"
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]} | ({"add": ["NET_ADMIN"]} if on_nodes else {})
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert on_nodes or spec["securityContext"]["runAsNonRoot"] is True
        assert spec.get("hostNetwork", False) is on_nodes
        assert spec["automountServiceAccountToken"] is (container["name"] == "spoke")
        assert spec["enableServiceLinks"] is False
        assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"]["requests"].keys()
        assert container["resources"]["limits"].keys() == {"memory"}
        assert kind == "Job" or {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


@pytest.mark.parametrize(("chart", "profile"), PROFILES)
def test_the_programs_take_the_settings_that_are_rendered(helm: Helm, chart: str, profile: str) -> None:
    maps = [each for each in helm.objects(chart, values(chart, profile)) if each["kind"] == "ConfigMap"]
    (config,) = [each for each in maps if not each["metadata"]["name"].endswith("-dashboard")]
    given = values(chart, profile)
    own = [each for name, each in STORES.items() if given.get(name, {}).get("existingSecret")]
    for name, text in config["data"].items():
        if chart == HUB:
            HubConfig.model_validate(dict(ChainMap(*own, tomllib.loads(text))))
        elif name.endswith(".toml"):
            load(tomllib.loads(text), {})


def test_an_override_of_the_registry_is_for_every_image(helm: Helm) -> None:
    for chart in (HUB, SPOKE):
        for _, spec in templates(helm.objects(chart, values(chart, "full"))):
            assert spec["containers"][0]["image"].startswith(f"mirror.example.org:5000/periplus/{chart}")
            assert {"name": "mirror"} in spec["imagePullSecrets"]


@pytest.mark.parametrize(
    ("over", "repository"),
    [
        ({}, "periplus-hub-embedded"),
        ({"database": {"existingSecret": "stores"}}, "periplus-hub-embedded"),
        ({"database": {"existingSecret": "stores"}, "flowStore": {"existingSecret": "stores"}}, "periplus-hub"),
        ({"image": {"registry": "registry.example.org/p", "repository": "hub"}}, "hub"),
    ],
)
def test_the_image_has_the_stores_that_are_not_elsewhere(helm: Helm, over: dict[str, Any], repository: str) -> None:
    for _, spec in templates(helm.objects(HUB, values(HUB, **over))):
        assert spec["containers"][0]["image"].rpartition(":")[0].rpartition("/")[2] == repository


def test_stores_of_ones_own_make_replicas_and_embedded_ones_a_single_pod(helm: Helm) -> None:
    kinds = [each["kind"] for each in helm.objects(HUB, values(HUB, "full"))]
    assert (kinds.count("Deployment"), kinds.count("StatefulSet"), kinds.count("Job")) == (2, 0, 1)
    secret = {"existingSecret": "stores"}
    for own, jobs in (({}, 0), ({"database": secret}, 1), ({"flowStore": secret}, 0)):
        kinds = [each["kind"] for each in helm.objects(HUB, values(HUB, **own))]
        assert (kinds.count("Deployment"), kinds.count("StatefulSet"), kinds.count("Job")) == (0, 1, jobs)


BACKUP = {"enabled": True}
OWN: dict[str, Any] = {
    "database": {"existingSecret": "stores"},
    "flowStore": {"existingSecret": "stores"},
    "backup": {
        "enabled": True,
        "databaseUrlKey": "all",
        "flowPlaceKey": "place",
        "volume": {"accessMode": "ReadWriteMany"},
    },
}


@pytest.mark.parametrize(
    ("profile", "claim", "made"),
    [
        ("embedded", "periplus-periplus-hub-backups", 1),
        ("mixed", "backups", 0),
        ("full", "periplus-periplus-hub-backups", 1),
    ],
)
def test_backups_are_on_a_volume_of_their_own_that_uninstalling_keeps(
    helm: Helm, profile: str, claim: str, made: int
) -> None:
    objects = helm.objects(HUB, values(HUB, profile, fullnameOverride="periplus-periplus-hub"))
    claims = [each for each in objects if each["kind"] == "PersistentVolumeClaim"]
    assert [each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in claims] == ["keep"] * made
    mounting = {
        (kind, volume["persistentVolumeClaim"]["claimName"])
        for kind, spec in templates(objects)
        for volume in spec["volumes"]
        if volume["name"] == "backups"
    }
    assert mounting == {("Deployment" if profile == "full" else "StatefulSet", claim)}
    (config,) = [each for each in objects if each["kind"] == "ConfigMap" and "hub.toml" in each["data"]]
    assert tomllib.loads(config["data"]["hub.toml"])["backup_folder"] == "/var/lib/periplus-backups"


def test_only_pods_that_take_backups_get_the_role_that_sees_all_rows(helm: Helm) -> None:
    objects = helm.objects(HUB, values(HUB, **OWN))
    for each in objects:
        if each["kind"] not in {"Deployment", "Job"}:
            continue
        (container,) = each["spec"]["template"]["spec"]["containers"]
        names = {variable["name"] for variable in container["env"]}
        is_work = each["metadata"]["name"].endswith("-work")
        assert ({"PERIPLUS_BACKUP_DATABASE_URL", "PERIPLUS_FLOW_STORE_BACKUP"} <= names) is is_work
        assert "periplus-hub-embedded:" in container["image"], "its image has pg_dump"


def test_pods_that_share_a_volume_for_one_are_not_replaced_side_by_side(helm: Helm) -> None:
    one = OWN | {"work": {"replicas": 1}, "backup": OWN["backup"] | {"volume": {}}}
    kinds: dict[str, list[str]] = {"work": [], "serve": []}
    for given in (OWN, one):
        for each in helm.objects(HUB, values(HUB, **given)):
            if each["kind"] == "Deployment":
                kinds[each["metadata"]["name"].rpartition("-")[2]].append(each["spec"]["strategy"]["type"])
    assert kinds == {"work": ["RollingUpdate", "Recreate"], "serve": ["RollingUpdate", "RollingUpdate"]}


def test_spokes_and_people_come_through_gateways_to_their_own_service(helm: Helm) -> None:
    gateway = {"enabled": True, "parentRefs": [{"name": "edge"}]}
    routes = {"api": gateway | {"host": "api.test"}, "spokes": gateway | {"host": "spokes.test"}}
    found = [each for each in helm.objects(HUB, values(HUB, tls=PROXY, routes=routes)) if each["kind"] == "HTTPRoute"]
    to = {each["spec"]["hostnames"][0]: each["spec"]["rules"][0]["backendRefs"][0] for each in found}
    assert {host: (each["name"].rpartition("-")[2], each["port"]) for host, each in to.items()} == {
        "api.test": ("api", 7980), "spokes.test": ("spokes", 7946),
    }  # fmt: skip
    (passed,) = [each for each in helm.objects(HUB, values(HUB, "full")) if each["kind"] == "TLSRoute"]
    (certificate,) = [each for each in helm.objects(HUB, values(HUB, "full")) if each["kind"] == "Certificate"]
    assert passed["spec"]["hostnames"][0] in certificate["spec"]["dnsNames"]


def test_selectors_have_no_version_and_long_names_stay_names(helm: Helm) -> None:
    long = values(HUB, "full", fullnameOverride="n" * 63)
    for each in helm.objects(HUB, long):
        assert len(each["metadata"]["name"]) <= 63
        selector = each.get("spec", {}).get("selector", {})
        assert not re.search("version|chart", str(selector))


@pytest.mark.parametrize(
    ("chart", "over", "said"),
    [
        (HUB, {"image": {}}, "image.registry is empty"),
        (HUB, {"tls": {}}, "tls.mode is empty"),
        (HUB, {"tls": {"mode": "secret"}}, "tls.secretName is empty"),
        (HUB, {"tls": {"mode": "certManager"}}, "tls.issuer.name is empty"),
        (HUB, {"tls": {"mode": "none"}}, "/tls/mode"),
        (HUB, {"serve": {"replicas": 3}}, "serve.replicas is 3: a hub with an embedded store is one process"),
        (HUB, {"serve": {"replicas": "3"}}, "/serve/replicas"),
        (HUB, {"serve": {"autoscaling": {"enabled": True}}}, "serve.autoscaling.enabled is true"),
        (HUB, {"database": {"migrationUrlKey": "x"}}, "database.migrationUrlKey is given without"),
        (HUB, {"flowStore": {"cluster": "x"}}, "flowStore.cluster is given without"),
        (HUB, {"ingress": {"api": {"enabled": True}}}, "ingress.api.host is empty"),
        (HUB, {"routes": {"api": {"enabled": True}}}, "routes.api.host is empty"),
        (HUB, {"routes": {"api": {"enabled": True}}}, "routes.api.parentRefs is empty: name the Gateway"),
        (HUB, {"routes": {"api": {"enabled": True}}}, "say tls.mode=proxy, or kind TLSRoute"),
        (HUB, {"tls": PROXY, "routes": {"api": {"enabled": True, "kind": "TLSRoute"}}}, "or kind HTTPRoute"),
        (HUB, {"ports": {"api": 7946}}, "ports are not four different ones"),
        (HUB, {"config": {"drain_s": 99}}, "/config/drain_s': maximum: got 99, want 25"),
        (HUB, {"config": {"log_levell": "info"}}, "'log_levell' not allowed"),
        (HUB, {"config": {"data_dir": "/x"}}, "'data_dir' not allowed"),
        (HUB, {"env": {"PERIPLUS_DRAIN_S": "1"}}, "PERIPLUS_DRAIN_S"),
        (HUB, {"imag": {}}, "'imag' not allowed"),
        (HUB, {"backup": BACKUP | {"schedule": "at two"}}, "/backup/schedule"),
        (HUB, {"backup": BACKUP | {"keep": 0}}, "/backup/keep': minimum"),
        (HUB, {"backup": BACKUP | {"databaseUrlKey": "x"}}, "backup.databaseUrlKey is given without"),
        (HUB, {"backup": BACKUP | {"flowPlaceKey": "x"}}, "backup.flowPlaceKey is given without"),
        (HUB, OWN | {"backup": BACKUP}, "backup.databaseUrlKey is empty"),
        (HUB, OWN | {"backup": BACKUP}, "backup.flowPlaceKey is empty"),
        (HUB, OWN | {"backup": BACKUP}, "say backup.volume.accessMode=ReadWriteMany, or work.replicas=1"),
        (HUB, OWN | {"flowStore": {"existingSecret": "s", "cluster": "c"}}, "say backup.flows=false"),
        (HUB, {"config": {"backup_folder": "/x"}}, "'backup_folder' not allowed"),
        (SPOKE, {"image": {}}, "image.registry is empty"),
        (SPOKE, {"hub": {}}, "hub.url is empty"),
        (SPOKE, {"hub": {"url": "hub.example.org"}}, "/hub/url"),
        (SPOKE, {"hub": {"url": "http://hub.example.org"}}, "would send the join token in clear"),
        (SPOKE, {"hub": {"url": "https://h", "ca": {"pem": "x", "secret": "hub-ca"}}}, "more than one is given"),
        (SPOKE, {"joinToken": {}}, "make a token with 'periplus join-token create --cluster-name NAME'"),
        (SPOKE, {"joinToken": {"value": "a", "existingSecret": "b"}}, "are both given"),
        (SPOKE, {"nodeAgents": {"enabled": True}}, "make a token with 'periplus join-token create --agents-of NAME'"),
        (SPOKE, {"agent": {"enabled": False}}, "nothing would run"),
        (SPOKE, {"serviceAccount": {"create": False}}, "serviceAccount.name is empty"),
        (SPOKE, {"config": {"outbox_max_bytes": 1}}, "/config/outbox_max_bytes': minimum"),
        (SPOKE, {"config": {"log_level": "loud"}}, "/config/log_level"),
    ],
)  # fmt: skip
def test_bad_values_are_named_with_what_to_do(helm: Helm, chart: str, over: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmError, match=re.escape(said)):
        helm.template(chart, values(chart, **over))
