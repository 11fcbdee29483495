"""Settings of the sources of flows that the agent of a cluster reads."""

from typing import Final

from periplus_spoke.kit import parsers
from periplus_spoke.kit.setting import Setting

SOURCES: Final = ("hubble", "conntrack", "obi", "netobserv", "istio", "retina", "submariner", "cilium-mesh")
"""What flows may be read from."""

FLOW_SETTINGS: Final = (
    Setting(
        "flow_sources",
        parsers.SomeOf(*SOURCES),
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
        "exporter_urls",
        parsers.urls,
        "http(s)://host[:port]/path, comma-separated",
        "Pages of metrics from which flows are read where there is no Prometheus ('run' only). Each address of a host "
        "name is an exporter of its own.",
    ),
    Setting(
        "prometheus_by_api_server",
        parsers.switch,
        "true or false",
        "Instead of prometheus_urls: the Prometheus that is found in the cluster, asked through its API server, which "
        "takes the right 'get' on services/proxy; where none is found, pages of metrics of Cilium's agents, with that "
        "right on pods/proxy ('run' only).",
    ),
    Setting(
        "prometheus_minutes_back",
        parsers.Whole(0, 5),
        "0 to 5",
        "So many minutes before the start are read from Prometheus, too: only for a cluster that never told flows, or "
        "they count twice ('run' only).",
    ),
    Setting(
        "prometheus_token_file",
        parsers.path,
        "a path",
        "File with the bearer token for Prometheus, or for exporters; read again for each question ('run' only).",
    ),
    Setting(
        "prometheus_basic_auth_file",
        parsers.path,
        "a path",
        "File with 'user:password' for Prometheus, or for exporters; read again for each question ('run' only).",
    ),
    Setting(
        "prometheus_ca",
        parsers.path,
        "a path",
        "PEM file with the authority that signed the certificate of Prometheus, or of exporters ('run' only).",
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
    Setting(
        "hubble_relay",
        parsers.server_or_auto,
        "http(s)://host[:port] or auto",
        "Hubble Relay, from which connections and verdicts are read; https:// where it encrypts. auto: the one that is "
        "found in the cluster, if there is one ('run' only).",
    ),
    Setting(
        "hubble_server_name",
        parsers.text,
        "a name",
        "Name in the certificate of Hubble Relay ('run' only).",
    ),
    Setting(
        "hubble_ca",
        parsers.path,
        "a path",
        "PEM file with the authority that signed the certificate of Hubble Relay ('run' only).",
    ),
    Setting(
        "hubble_certificate",
        parsers.path,
        "a path",
        "PEM file with the certificate that the spoke shows to Hubble Relay, where that asks for one ('run' only).",
    ),
    Setting(
        "hubble_key",
        parsers.path,
        "a path",
        "PEM file with the key of that certificate ('run' only).",
    ),
)
