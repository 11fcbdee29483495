"""The values of charts/periplus-hub."""

from typing import Annotated, Any, Final, Literal

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
from docs.build.charts.settings import hub_settings

CHART: Final = "periplus-hub"
Replicas = Annotated[int, Field(ge=1, le=50)]


class Database(Values):
    """PostgreSQL."""

    existing_secret: str = ""
    """A Secret with the URL of your own PostgreSQL. Without one the hub has an embedded PostgreSQL on its volume."""
    url_key: str = "database-url"
    """Key of the URL in it."""
    migration_url_key: str = ""
    """Key of the URL with the role that owns the tables; only the migration has it. Default: the same URL."""


class Migrations(Values):
    """The Job that brings the schema of your own PostgreSQL up to date before an install or upgrade."""

    enabled: bool = True
    """Without it, run `periplus hub migrate` yourself before each install and upgrade."""
    deadline_seconds: Annotated[int, Field(ge=10, le=86_400)] = 900
    """How long it may take before the install or upgrade fails."""
    resources: Map = resources("50m", "128Mi", "512Mi")
    """Resources of the Job."""


class FlowStore(Values):
    """ClickHouse."""

    existing_secret: str = ""
    """A Secret with the URL of your own ClickHouse. Without one the hub has an engine in its process, on its volume."""
    url_key: str = "flow-store-url"
    """Key of the URL in it."""
    cluster: str = ""
    """The name by which several servers of ClickHouse know their cluster."""


class Persistence(Values):
    """The volume of embedded stores; there is none when both stores are your own."""

    size: str = "20Gi"
    """Size of the volume."""
    storage_class: str | None = None
    """Default: the cluster's default class. An empty text: no class."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod"] = "ReadWriteOncePod"
    """ReadWriteOncePod where the storage has it: then no second pod can ever open the stores."""
    existing_claim: str = ""
    """A claim of yours to use instead."""
    when_deleted: Literal["Retain", "Delete"] = "Retain"
    """What becomes of the volume when the release is uninstalled."""
    annotations: Texts = Field(default_factory=dict)
    """Annotations of the claim."""


class BackupVolume(Values):
    """The volume of backups. `helm uninstall` keeps it."""

    size: str = "50Gi"
    """Size of the volume: `keep` backups and one more."""
    storage_class: str | None = None
    """Default: the cluster's default class. An empty text: no class."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    """With `work.replicas` of 2 or more ReadWriteMany is needed: whichever leads takes the backup."""
    existing_claim: str = ""
    """A claim of yours to use instead."""
    annotations: Texts = Field(default_factory=dict)
    """Annotations of the claim."""


class Backup(Values):
    """Backups that the hub takes by itself while it runs, on a volume of their own."""

    enabled: bool = False
    """Whether it takes any."""
    schedule: Annotated[str, Field(pattern=r"^(@(hourly|daily|weekly|monthly)|[0-9*,/-]+( [0-9*,/-]+){4})$")] = (
        "0 2 * * *"
    )
    """When one is due, in UTC: minute, hour, day of the month, month and weekday, as a CronJob has them."""
    keep: Annotated[int, Field(ge=1, le=1_000)] = 7
    """How many are kept. Older ones are removed once a new one is whole."""
    flows: bool = True
    """Whether they hold flows."""
    database_url_key: str = ""
    """Your own PostgreSQL: key in `database.existingSecret` of the URL with a role that sees all rows."""
    flow_place_key: str = ""
    """Your own ClickHouse: key in `flowStore.existingSecret` of where it puts its part of a backup."""
    volume: BackupVolume = BackupVolume()


class Issuer(Values):
    """Who signs, for cert-manager."""

    name: str = ""
    """Name of the issuer."""
    kind: str = "Issuer"
    """Issuer or ClusterIssuer."""
    group: str = "cert-manager.io"
    """API group of the issuer."""


class Tls(Values):
    """Encryption of the listeners for spokes and for people."""

    mode: Literal["", "secret", "certManager", "proxy"] = ""
    """Needed. `secret`: a Secret of yours. `certManager`: cert-manager makes it. `proxy`: the hub serves plain HTTP,
    and something in front of it encrypts."""
    secret_name: str = ""
    """`secret`: the name of a Secret of type kubernetes.io/tls."""
    issuer: Issuer = Issuer()
    dns_names: list[str] = Field(default_factory=list)
    """`certManager`: further names beside those of the Services and of `ingress`."""


class Ports(Values):
    """Ports of the pods."""

    spokes: Port = 7946
    """For spokes."""
    api: Port = 7980
    """For people: GraphQL and the command line."""
    metrics: Port = 7990
    """Metrics and probes."""
    work_metrics: Port = 7991
    """The same of the pods that do the jobs."""


class Service(Values):
    """One Service."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """How it is reached."""
    port: Port
    """Port of the Service."""
    annotations: Texts = Field(default_factory=dict)
    """Annotations, as for load balancers of clouds."""
    load_balancer_class: str | None = None
    """Class of the load balancer."""
    load_balancer_source_ranges: list[str] = Field(default_factory=list)
    """Who may reach the load balancer."""


class Services(Values):
    """Spokes of other clusters reach the first, people the second."""

    spokes: Service = Service(port=7946)
    api: Service = Service(port=7980)


class Ingress(Values):
    """One Ingress. Spokes need a host of their own, as their address has no path."""

    enabled: bool = False
    """Whether there is one."""
    class_name: str | None = None
    """The IngressClass. Default: the cluster's."""
    host: str = ""
    """Needed when enabled."""
    annotations: Texts = Field(default_factory=dict)
    """With `tls.mode` other than `proxy` your controller has to be told that the backend speaks TLS."""
    tls_secret_name: str = ""
    """Secret with the certificate that the Ingress shows."""


class Ingresses(Values):
    """Behind a controller that is there already."""

    spokes: Ingress = Ingress()
    api: Ingress = Ingress()


class Route(Values):
    """One route of the Gateway API. Spokes need a host of their own, as their address has no path."""

    enabled: bool = False
    """Needs the kinds of the Gateway API in the cluster."""
    kind: Literal["HTTPRoute", "TLSRoute"] = "HTTPRoute"
    """`HTTPRoute`: the gateway ends TLS, and `tls.mode` is `proxy`. `TLSRoute`: it passes TLS on to the hub."""
    version: Literal["v1", "v1alpha3", "v1alpha2"] = "v1"
    """Of the kind in your cluster. Before version 1.5 of the Gateway API a TLSRoute is v1alpha3 or v1alpha2."""
    host: str = ""
    """Needed when enabled."""
    parent_refs: Maps = Field(default_factory=list)
    """Gateways, as a route has them. Needed when enabled."""
    annotations: Texts = Field(default_factory=dict)
    """Annotations of the route."""


class Routes(Values):
    """Behind gateways that are there already."""

    spokes: Route = Route()
    api: Route = Route()


class NetworkPolicy(Values):
    """Who may talk to the pods. In each list are peers as NetworkPolicy has them; an empty list is everybody."""

    enabled: bool = False
    """Needs a network plugin that enforces it."""
    spokes_from: Maps = Field(default_factory=list)
    """Who reaches the spokes' listener."""
    api_from: Maps = Field(default_factory=list)
    """Who reaches the API."""
    metrics_from: Maps = Field(default_factory=list)
    """Who reaches metrics and probes."""
    egress: Maps | None = None
    """Rules for what the hub may reach beside DNS: your own stores. null: everything."""


class Autoscaling(Values):
    """Of `serve`, by CPU; only when both stores are your own."""

    enabled: bool = False
    """Then `serve.replicas` is not set."""
    min_replicas: Replicas = 2
    """At least so many."""
    max_replicas: Replicas = 6
    """At most so many; each opens up to 34 connections to PostgreSQL."""
    cpu_percent: Annotated[int, Field(ge=10, le=95)] = 70
    """Of the requested CPU."""


class Serve(Scheduling):
    """Pods that take batches and answer people. With an embedded store there is one, which also does the jobs."""

    replicas: Replicas | None = None
    """Default: 2 when both stores are your own. With an embedded store there can be only 1."""
    resources: Map = resources("250m", "768Mi", "3Gi")
    """With embedded stores they are in this pod: see sizing in the documentation."""
    autoscaling: Autoscaling = Autoscaling()


class Work(Scheduling):
    """Pods that do the jobs when both stores are your own: one leads, the others wait to take over."""

    replicas: Replicas = 2
    """How many."""
    resources: Map = resources("250m", "512Mi", "2Gi")
    """Resources of each."""


class Dashboard(Values):
    """A dashboard for Grafana, in a ConfigMap."""

    enabled: bool = False
    """Whether there is one."""
    labels: Texts = Field(default_factory=lambda: {"grafana_dashboard": "1"})
    """Labels by which Grafana's sidecar finds it."""


class HubImage(Image):
    """What runs."""

    repository: str = ""
    """Name of the image in the registry. Default: `periplus-hub-embedded`, or `periplus-hub` where both stores are
    your own and `backup.enabled` is false: PostgreSQL's programs for backups are in the first alone."""


class HubValues(Common):
    """Values of the chart periplus-hub."""

    image: HubImage = HubImage()
    tls: Tls = Tls()
    database: Database = Database()
    migrations: Migrations = Migrations()
    flow_store: FlowStore = FlowStore()
    persistence: Persistence = Persistence()
    backup: Backup = Backup()
    config: Annotated[dict[str, Any], WithJsonSchema(hub_settings())] = Field(default_factory=dict)
    """Settings of the hub by their names, as in its configuration file; the chart sets the others itself."""
    serve: Serve = Serve()
    work: Work = Work()
    ports: Ports = Ports()
    services: Services = Services()
    ingress: Ingresses = Ingresses()
    routes: Routes = Routes()
    network_policy: NetworkPolicy = NetworkPolicy()
    pod_disruption_budget: bool = True
    """Whether drains take one pod of a kind at a time, where there are several."""
    service_monitor: ScrapedEvery = ScrapedEvery()
    prometheus_rule: Monitor = Monitor()
    dashboard: Dashboard = Dashboard()
