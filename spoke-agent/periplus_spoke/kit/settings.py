"""Every setting of the spoke, one line each; flag, variable and key in the file follow from its name."""

from typing import Final

from periplus_contract.names import ALLOWED
from periplus_spoke.kit import parsers
from periplus_spoke.kit.flow_settings import FLOW_SETTINGS
from periplus_spoke.kit.setting import PREFIX, Setting

JOIN_TOKEN_VARIABLE: Final = PREFIX + "JOIN_TOKEN"
_MIB: Final = 1024 * 1024
_FILE: Final = "a path"
NODE_NAMES: Final = "up to 253 of a-z, 0-9, '-' and '.'"

SETTINGS: Final = (
    Setting("hub", parsers.url, "http(s)://host[:port]", "Address of the hub's spoke listener, as the hub prints it."),
    Setting("hub_ca", parsers.path, _FILE, "PEM file with the authority that signed the hub's certificate."),
    Setting(
        "allow_plain_http",
        parsers.switch,
        "true or false",
        "Send to a hub, or secrets to Prometheus, beyond this machine without TLS: something else on the way encrypts.",
    ),
    Setting(
        "join_token_file",
        parsers.path,
        _FILE,
        "File with a join token, needed once: create one with 'periplus join-token create', for 'node' with "
        f"--agents-of. The variable {JOIN_TOKEN_VARIABLE} may hold the token instead.",
    ),
    Setting("state_dir", parsers.path, _FILE, "Folder for identity and unsent batches; keep it across restarts."),
    Setting(
        "cluster_name",
        parsers.cluster_name,
        ALLOWED,
        "Name of this cluster in the hub; default: the name of the context.",
    ),
    Setting("kubeconfig", parsers.path, _FILE, "Kubeconfig to use; default inside a pod: its ServiceAccount."),
    Setting("context", parsers.text, "a context's name", "Context of the kubeconfig; default: its current context."),
    Setting(
        "vantage",
        parsers.text,
        "a text",
        "Name of the place this spoke asks from. Spokes that give the same one, and ask an API server at one address, "
        "are known to read one cluster, even if they cannot list its nodes. 'periplus try' sets it.",
    ),
    Setting("status_file", parsers.path, _FILE, "File in which the spoke reports its progress, as one JSON object."),
    Setting(
        "log_format",
        parsers.OneOf("auto", "json", "text"),
        "auto, json or text",
        "Format of the log on standard error; auto is text at a terminal, else json.",
    ),
    Setting(
        "log_level",
        parsers.OneOf("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "Lowest level logged.",
    ),
    Setting(
        "health_port",
        parsers.Whole(0, 65_535),
        "0 to 65535",
        "Port for /healthz, /readyz and /metrics; 0: any free one.",
    ),
    Setting("health_host", parsers.text, "an address", "Address the health port listens on."),
    Setting(
        "label_keys",
        parsers.texts,
        "names, comma-separated",
        "Labels that may be sent to the hub; 'prefix/*' is allowed.",
    ),
    Setting(
        "distribution",
        parsers.text,
        "a name",
        "Name of the Kubernetes distribution, if the spoke does not recognise it.",
    ),
    Setting(
        "delta_interval_s",
        parsers.Seconds(0.1, 300),
        "0.1 to 300 seconds",
        "How long changes are collected for one batch.",
    ),
    Setting(
        "ipam_interval_s",
        parsers.Whole(10, 3600),
        "10 to 3600 seconds",
        "How often the use of address pools is reported.",
    ),
    Setting(
        "heartbeat_interval_s",
        parsers.Seconds(0.1, 60),
        "0.1 to 60 seconds",
        "Longest time without a message to the hub.",
    ),
    Setting(
        "outbox_max_bytes",
        parsers.Whole(4 * _MIB, 1 << 40),
        "4 MiB to 1 TiB in bytes",
        "Limit of the batches kept on disk.",
    ),
    Setting(
        "outbox_max_files",
        parsers.Whole(100, 1_000_000),
        "100 to 1000000",
        "Limit of the number of batches kept on disk.",
    ),
    Setting(
        "memory_max_bytes",
        parsers.Whole(_MIB, 1 << 30),
        "1 MiB to 1 GiB in bytes",
        "Limit of the batches kept in memory while the disk fails.",
    ),
    Setting(
        "node_name",
        parsers.node_name,
        NODE_NAMES,
        "Name of this node in Kubernetes ('node' only); default: the name of the machine.",
    ),
    Setting(
        "local_networks",
        parsers.networks,
        "CIDRs, comma-separated",
        "Addresses of this node's pods beside those that its routes show ('node' only).",
    ),
    Setting(
        "conntrack_interval_s",
        parsers.period_of_a_minute,
        "5, 6, 10, 12, 15, 20, 30 or 60 seconds",
        "How often the kernel's table of connections is read ('node' only).",
    ),
    Setting(
        "conntrack_max_connections",
        parsers.Whole(1_000, 10_000_000),
        "1000 to 10000000",
        "Connections whose counters are remembered; further ones count as not measured ('node' only).",
    ),
    Setting(
        "flow_row_budget",
        parsers.Whole(100, 40_000),
        "100 to 40000",
        "Rows about flows in one minute; the smallest beyond that are summed in rows of their own.",
    ),
    *FLOW_SETTINGS,
)
