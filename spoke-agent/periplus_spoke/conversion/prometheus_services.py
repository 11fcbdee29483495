"""Which Services answer Prometheus' HTTP API, by their names, labels and ports, as their charts and operators set them.

The nearest comes first: a Prometheus of the cluster itself has its metrics, a store for many clusters has others' too.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

_NAME: Final = "app.kubernetes.io/name"
_COMPONENT: Final = "app.kubernetes.io/component"
_OPENSHIFT: Final = "openshift-monitoring"


class PrometheusAt(NamedTuple):
    """How a service is asked. The lowest `rank` is nearest."""

    rank: int
    port: int
    is_tls: bool
    path: str


class _Product(NamedTuple):
    """Its ports are names or numbers, the first that a service has is taken."""

    names: frozenset[str]
    labels: tuple[tuple[str, str], ...]
    """All of these, instead of one of the names."""
    ports: tuple[str | int, ...]
    path: str = ""


_WEB: Final = ("http-web", "web", "http", 9090, 80)
_PRODUCTS: Final = (
    _Product(frozenset(("prometheus-k8s", "prometheus-server", "prometheus")), ((_NAME, "prometheus"),), _WEB),
    _Product(frozenset(), (("app", "kube-prometheus-stack-prometheus"),), _WEB),
    _Product(frozenset(), ((_NAME, "kube-prometheus"), (_COMPONENT, "prometheus")), _WEB),
    _Product(frozenset(("prometheus-operated",)), (("operated-prometheus", "true"),), _WEB),
    _Product(frozenset(("vmsingle", "victoria-metrics-single-server")), ((_NAME, "vmsingle"),), ("http", 8428, 8429)),
    _Product(frozenset(), ((_NAME, "victoria-metrics-single"),), ("http", 8428)),
    _Product(frozenset(("thanos-querier",)), (), ("web", 9091)),
    _Product(frozenset(("vmselect",)), ((_NAME, "vmselect"),), ("http", 8481), "/select/0/prometheus"),
    _Product(
        frozenset(),
        ((_NAME, "victoria-metrics-cluster"), ("app", "vmselect")),
        ("http", 8481),
        "/select/0/prometheus",
    ),
    _Product(frozenset(("thanos-query",)), ((_NAME, "thanos-query"),), ("http", 10902, 9090)),
    _Product(frozenset(), ((_NAME, "thanos"), (_COMPONENT, "query")), ("http", 9090)),
    _Product(
        frozenset(("mimir-query-frontend",)),
        ((_NAME, "mimir"), (_COMPONENT, "query-frontend")),
        ("http-metrics", 8080),
        "/prometheus",
    ),
)
"""The nearest first."""
_OTHER_COMPONENTS: Final = frozenset(("alertmanager", "exporter", "controller", "pushgateway", "node-exporter"))


def prometheus_at(
    namespace: str, name: str, labels: Mapping[str, str], ports: Sequence[tuple[str, int]]
) -> PrometheusAt | None:
    """How to ask a service; None for one that is no Prometheus."""
    if labels.get(_COMPONENT) in _OTHER_COMPONENTS:
        return None
    for rank, product in enumerate(_PRODUCTS):
        if name in product.names or (product.labels and all(labels.get(key) == text for key, text in product.labels)):
            port = _port(product, ports)
            # OpenShift's take https alone, and a token.
            return PrometheusAt(rank, port, namespace == _OPENSHIFT, product.path) if port else None
    return None


def _port(product: _Product, ports: Sequence[tuple[str, int]]) -> int:
    for wanted in product.ports:
        for port_name, number in ports:
            if wanted in (port_name, number):
                return number
    return 0
