"""The pytest fixtures of the rig, as a plugin that the conftest of any folder may ask for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cluster.rig.build import ensure_crane, ensure_helm, ensure_hubble, ensure_prometheus, ensure_tools
from tests.cluster.rig.control_plane import ControlPlane
from tests.cluster.rig.golang import Report
from tests.cluster.rig.helm import Helm
from tests.cluster.rig.hubble import Hubble
from tests.cluster.rig.hubble_shop import furnish
from tests.cluster.rig.populate import populate
from tests.cluster.rig.posing import aws, gcp
from tests.cluster.rig.spec import ClusterSpec
from tests.cluster.rig.toolchain import Tools

_PLUGIN = "periplus-cluster-rig"
_log = logging.getLogger(__name__)

ClusterFactory: TypeAlias = Callable[[ClusterSpec], ControlPlane]

# Both clouds' clusters were given the same pod range, as happens; their machines differ.
AWS_SPEC = ClusterSpec(
    name="aws-shop",
    provider=aws("eu-west-1"),
    pod_cidr="10.244.0.0/16",
    service_cidr="10.96.0.0/16",
    node_network="10.10.0.0/20",
)
GCP_SPEC = ClusterSpec(
    name="gcp-shop",
    provider=gcp("europe-west1"),
    pod_cidr="10.244.0.0/16",
    service_cidr="10.97.0.0/16",
    node_network="10.20.0.0/20",
)


def register(config: pytest.Config) -> None:
    """Makes the fixtures known to the whole run; call it in a conftest's `pytest_configure`.

    Fixtures that two conftests import are two fixtures, and every cluster would be started twice.
    """
    if not config.pluginmanager.has_plugin(_PLUGIN):
        config.pluginmanager.register(sys.modules[__name__], _PLUGIN)


@pytest.fixture(scope="session")
def tools(pytestconfig: pytest.Config) -> Tools:
    """The control plane's programs; builds them when the cache has none, which takes minutes."""
    return ensure_tools(_reporting(pytestconfig))


@pytest.fixture(scope="session")
def prometheus_program(pytestconfig: pytest.Config) -> Path:
    """A Prometheus; builds it when the cache has none, which takes minutes."""
    return ensure_prometheus(_reporting(pytestconfig))["prometheus"]


@pytest.fixture(scope="session")
def promtool(pytestconfig: pytest.Config) -> Path:
    """What checks rules of alerts, and tries them on series."""
    return ensure_prometheus(_reporting(pytestconfig))["promtool"]


@pytest.fixture(scope="session")
def helm(pytestconfig: pytest.Config) -> Helm:
    """Helm; builds it when the cache has none, which takes two minutes."""
    return Helm(ensure_helm(_reporting(pytestconfig)))


@pytest.fixture(scope="session")
def crane(pytestconfig: pytest.Config) -> Path:
    """What pushes images, and is a registry; builds it when the cache has none, which takes half a minute."""
    return ensure_crane(_reporting(pytestconfig))


def _reporting(config: pytest.Config) -> Report:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    # A worker of xdist has no terminal.
    return reporter.write_line if reporter else _log.info


@pytest.fixture(scope="session")
def cluster_factory(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterFactory]:
    """Starts and fills clusters; all are stopped at the end of the session, if not before."""
    started: list[ControlPlane] = []

    def make(spec: ClusterSpec) -> ControlPlane:
        folder = tmp_path_factory.mktemp(spec.name) / "cluster"
        plane = ControlPlane(tools, folder, spec)
        started.append(plane)
        plane.start()
        if spec.node_count:
            populate(plane.admin, spec)
        return plane

    yield make
    for plane in started:
        plane.stop()


@pytest.fixture(scope="session")
def aws_cluster(cluster_factory: ClusterFactory) -> ControlPlane:
    """An EKS-like cluster: 5 nodes in eu-west-1, 60 pods. Shared, so leave it as you found it."""
    return cluster_factory(AWS_SPEC)


@pytest.fixture(scope="session")
def gcp_cluster(cluster_factory: ClusterFactory) -> ControlPlane:
    """A GKE-like cluster with the pod range of `aws_cluster` and other node addresses. Shared."""
    return cluster_factory(GCP_SPEC)


@pytest.fixture(scope="session")
def hubble_programs(pytestconfig: pytest.Config) -> Mapping[str, Path]:
    """Hubble Relay and nodes for it; builds them when the cache has none, which takes minutes."""
    return ensure_hubble(_reporting(pytestconfig))


@pytest.fixture
def hubble(hubble_programs: Mapping[str, Path], tmp_path: Path) -> Iterator[Hubble]:
    """A shop on two nodes, and a relay without TLS."""
    made = Hubble(hubble_programs, tmp_path)
    try:
        made.start()
        for node in made.nodes:
            furnish(node)
        yield made
    finally:
        made.stop()
