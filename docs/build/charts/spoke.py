"""The values of charts/periplus-spoke."""

from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema

from docs.build.charts.parts import (
    Common,
    Image,
    Map,
    Maps,
    Monitor,
    Port,
    Scheduling,
    ScrapedEvery,
    Texts,
    Values,
    resources,
)
from docs.build.charts.settings import spoke_settings
from periplus_contract.names import MAX_CLUSTER_NAME

CHART: Final = "periplus-spoke"
Settings = Annotated[dict[str, Any], WithJsonSchema(spoke_settings())]


class Authority(Values):
    """Who signed the hub's certificate, where that is no authority that everybody knows. One of three."""

    pem: str = ""
    """The authority's certificate itself."""
    config_map: str = ""
    """Name of a ConfigMap that has it."""
    secret: str = ""
    """Name of a Secret that has it."""
    key: str = "ca.crt"
    """Key in the ConfigMap or the Secret."""


class Hub(Values):
    """The hub."""

    url: Annotated[str, Field(pattern=r"^(https?://[^/?#@\s]+)?$")] = ""
    """Needed. Address of the hub's listener for spokes, like https://hub.example.org:7946."""
    ca: Authority = Authority()


class JoinToken(Values):
    """What lets it join. One of the two."""

    value: str = ""
    """The token; the chart makes a Secret of it."""
    existing_secret: str = ""
    """Name of a Secret of yours with the token."""
    key: str = "token"
    """Key in that Secret."""


class ServiceAccount(Values):
    """The spoke's own. Agents of nodes have another one, without rights and without a token."""

    create: bool = True
    """Whether the chart makes it."""
    name: str = ""
    """Default: the name of the release's objects; without `create`, one that is there already."""
    annotations: Texts = Field(default_factory=dict)
    """Annotations."""


class Rbac(Values):
    """Rights of the spoke: reading, and never secrets."""

    create: bool = True
    """Whether the chart makes the roles and their bindings. Without, somebody else has to."""


class Persistence(Values):
    """The spoke's state: who it is to the hub, and what the hub does not have yet."""

    enabled: bool = True
    """Without a volume the state ends with the pod: what was not sent is lost, and the spoke needs a new join token."""
    size: str = "1Gi"
    """Size of the volume; more than `config.outbox_max_bytes`."""
    storage_class: str | None = None
    """Default: the cluster's default class. An empty text: no class."""
    existing_claim: str = ""
    """A claim of yours to use instead."""
    annotations: Texts = Field(default_factory=dict)
    """Annotations of the claim."""


class Agent(Scheduling):
    """The agent of the cluster, which asks the API server: one pod."""

    enabled: bool = True
    """Without it, a release has only agents of nodes: for a namespace of their own."""
    health_port: Port = 7947
    """Metrics and probes."""
    resources: Map = resources("20m", "96Mi", "384Mi")
    """Resources of the pod."""


class NodeAgents(Scheduling):
    """A DaemonSet that reads the connections of each node. It needs the PodSecurity level `privileged`."""

    enabled: bool = False
    """Whether there are any."""
    join_token: JoinToken = JoinToken()
    tolerations: Maps = Field(default=[{"operator": "Exists"}])
    """Taints of nodes to tolerate. Default: all, as every node has connections."""
    config: Settings = Field(default_factory=dict)
    """Settings of these agents, over those of `config`."""
    host_path: Annotated[str, Field(pattern=r"^/.+")] = "/var/lib/periplus-node-agent"
    """Folder on each node for the agent's key and what the hub does not have yet."""
    health_port: Port = 7948
    """Metrics and probes, on the node's own addresses."""
    max_unavailable: Annotated[int | str, Field(union_mode="left_to_right")] = "10%"
    """How many at once an upgrade may replace."""
    resources: Map = resources("20m", "64Mi", "384Mi")
    """Resources of each pod."""


class NetworkPolicy(Values):
    """Who may talk to the pod of the cluster's agent. Nobody dials a spoke but for its metrics."""

    enabled: bool = False
    """Needs a network plugin that enforces it."""
    metrics_from: Maps = Field(default_factory=list)
    """Peers that may reach metrics and probes, as NetworkPolicy has them; empty: everybody."""
    egress: Maps | None = None
    """Rules for what it may reach beside DNS: hub, API server, Prometheus. null: everything."""


class SpokeValues(Common):
    """Values of the chart periplus-spoke."""

    image: Image = Image(repository="periplus-spoke")
    hub: Hub = Hub()
    join_token: JoinToken = JoinToken()
    cluster_name: Annotated[str, Field(max_length=MAX_CLUSTER_NAME)] = ""
    """Name of this cluster in the hub, unless the join token has one. Default: what the cluster calls itself."""
    config: Settings = Field(default_factory=dict)
    """Settings of the spoke by their names, as in its configuration file; the chart sets the others itself."""
    agent: Agent = Agent()
    persistence: Persistence = Persistence()
    service_account: ServiceAccount = ServiceAccount()
    rbac: Rbac = Rbac()
    node_agents: NodeAgents = NodeAgents()
    network_policy: NetworkPolicy = NetworkPolicy()
    pod_monitor: ScrapedEvery = ScrapedEvery()
    prometheus_rule: Monitor = Monitor()
