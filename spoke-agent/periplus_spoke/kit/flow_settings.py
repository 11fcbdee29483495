"""Settings of the sources of flows that the agent of a cluster reads."""

from typing import Final

from periplus_spoke.kit import parsers
from periplus_spoke.kit.setting import Setting

SOURCES: Final = ("hubble", "conntrack", "obi", "netobserv", "istio", "retina", "submariner", "cilium-mesh")
"""What flows may be read from."""

FLOW_SETTINGS: Final = (
    Setting(
        "flow_sources",
        parsers.some_of(*SOURCES),
        f"some of {', '.join(SOURCES)}, comma-separated",
        "Sources of flows that may be read, the best first; of those that count bytes, the first that is there is "
        "('run' only).",
    ),
    Setting(
        "prometheus_urls",
        parsers.urls,
        "http(s)://host[:port][/path], comma-separated",
        "Prometheus, Thanos or another with the same API, from which flows are read ('run' only). Of several, the "
        "first that answers and has the source is asked: they are never added up.",
    ),
    Setting(
        "prometheus_token_file",
        parsers.path,
        "a path",
        "File with the bearer token for Prometheus; read again for each question ('run' only).",
    ),
    Setting(
        "prometheus_basic_auth_file",
        parsers.path,
        "a path",
        "File with 'user:password' for Prometheus; read again for each question ('run' only).",
    ),
    Setting(
        "prometheus_ca",
        parsers.path,
        "a path",
        "PEM file with the authority that signed the certificate of Prometheus ('run' only).",
    ),
    Setting(
        "prometheus_selector",
        parsers.matchers,
        'matchers of PromQL, like cluster="prod-1"',
        "Which series are this cluster's, where Prometheus has those of several ('run' only).",
    ),
    Setting(
        "prometheus_cluster",
        parsers.text,
        "a name",
        "What the sources in Prometheus call this cluster, as Istio in source_cluster; default: the only name that "
        "they tell ('run' only).",
    ),
    Setting(
        "prometheus_replica_labels",
        parsers.labels,
        "names of labels, comma-separated",
        "Labels in which the same series of several replicas of Prometheus differ ('run' only).",
    ),
)
