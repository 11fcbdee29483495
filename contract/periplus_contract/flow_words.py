"""The numbers of flows that stand for words.

A reader keeps a number that it does not know as it is, and shows it as unknown: later minors add some.
"""

from enum import IntEnum
from typing import Final


class Verdict(IntEnum):
    """What became of the packets."""

    UNKNOWN = 0
    FORWARDED = 1
    DROPPED = 2
    ERROR = 3
    AUDITED = 4
    """Forwarded, though a policy would have dropped them if it were enforced."""


class Reporter(IntEnum):
    """Who saw the flow."""

    CLIENT = 1
    """Whoever watches `src`."""
    SERVER = 2
    """Whoever watches `dst`."""
    BOTH = 3
    """Both, and the spoke has merged what they saw: each byte once."""


class FlowCollector(IntEnum):
    """Which source the row comes from."""

    CONNTRACK = 1
    HUBBLE = 2
    ISTIO = 3
    OBI = 4
    """Beyla, or OpenTelemetry's eBPF instrumentation, which it became."""
    NETOBSERV = 5
    RETINA = 6
    SUBMARINER = 7
    CILIUM_MESH = 8


SOURCE_KINDS: Final = (
    *("conntrack", "hubble", "goldmane", "obi", "netobserv", "istio", "retina", "submariner", "cilium-mesh"),
    "prometheus",
)
"""What a cluster may have that tells flows, in the order in which they are shown. `obi` is Beyla too; `prometheus` is
where the metrics of others are read, and no source by itself."""
WORKLOAD: Final = "Workload"
"""The `kind` of a workload that a source names without its kind, where nothing else says it."""
OTHER: Final = "other"
"""The `kind` of the peer that stands for all beyond a spoke's row budget."""

LOST_EVICTED: Final = "evicted"
"""Connections that vanished between two readings without telling their last counts."""
LOST_OVERRUN: Final = "overrun"
"""Times at which the source had more to tell than it kept, so that an unknown number of events is lost."""
LOST_RESET: Final = "counter_reset"
"""Counters that went backwards: what they had counted since the reading before is lost."""
LOST_UNREADABLE: Final = "unreadable"
"""Entries or messages of the source that do not say what they should."""
LOST_UNREAD: Final = "unread"
"""Readings that failed or were cut short."""
LOST_EVENTS: Final = "events"
"""Events that the source says it has lost before anybody could read them."""
LOST_NODES: Final = "nodes_away"
"""Nodes of which a source that tells of the whole cluster told nothing for a while."""

ACCOUNTING_OFF: Final = "accounting_off"
"""The node's kernel does not count bytes of connections: net.netfilter.nf_conntrack_acct is 0."""
NODE_LABELS_MISSING: Final = "node_labels_missing"
"""The metrics do not say which node counted, and which node sent: bytes that two nodes count cannot be told apart."""
END_LABELS_MISSING: Final = "end_labels_missing"
"""Some of the metrics do not say who is at either end."""
SAMPLING_UNKNOWN: Final = "sampling_unknown"
"""Only some packets are counted, and of how many one is not told, or differs between nodes."""
SEVERAL_CLUSTERS: Final = "several_clusters"
"""The metrics are of several clusters, and which of them is this one is not said."""
PARTIAL_ANSWERS: Final = "partial_answers"
"""What is asked for metrics says that it may have told only a part of them."""
NODES_AWAY: Final = "nodes_away"
"""A source that tells of the whole cluster cannot reach some of its nodes."""
