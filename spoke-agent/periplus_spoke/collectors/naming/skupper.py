"""Networks of Skupper: what sites offer each other under routing keys, and the doors by which they reach each other.

A site is a namespace, and is known by the uid of its object. Each is told what all others offer.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named, ObjectName
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Found, Meaning, Services
from periplus_spoke.conversion.objects import Kept

_GROUP: Final = "skupper.io"
_VERSIONS: Final = ("v2alpha1",)


class SiteName(ObjectName):
    """What is kept of the metadata of a Site."""

    uid: str = ""


class OfferedKey(Kept):
    """skupper.io ServiceRecord."""

    routing_key: str = ""
    connectors: list[str] | None = None


class SiteRecord(Kept):
    """skupper.io SiteRecord: a site of the network, as the network tells of it."""

    id: str = ""
    services: list[OfferedKey] | None = None
    offers: frozenset[str] = frozenset()
    """The routing keys that it has connectors of: these have an entry for each pod, which is not kept."""

    def __post_init__(self) -> None:
        """Reduce."""
        self.offers = frozenset(each.routing_key for each in self.services or () if each.connectors)
        self.services = None


class SiteStatus(Kept):
    """skupper.io SiteStatus."""

    network: list[SiteRecord] | None = None


class Site(Kept):
    """skupper.io Site."""

    metadata: SiteName = field(default_factory=SiteName)
    status: SiteStatus = field(default_factory=SiteStatus)

    def called(self) -> Iterator[str]:
        """The ID of the site, by which the others know it."""
        if self.metadata.uid:
            yield f"skupper={self.metadata.uid}"

    def offering(self, key: str) -> Iterator[str]:
        """IDs of the sites that have connectors of a routing key, perhaps itself."""
        for record in self.status.network or ():
            if record.id and key in record.offers:
                yield record.id


class ListenerSpec(Kept):
    """skupper.io ListenerSpec."""

    routing_key: str = ""
    host: str = ""


class Listener(Named):
    """skupper.io Listener: a Service of this cluster that leads to a routing key."""

    spec: ListenerSpec = field(default_factory=ListenerSpec)

    @property
    def keys(self) -> tuple[str, ...]:
        """One."""
        return (self.spec.routing_key,)


class PriorityStrategy(Kept):
    """skupper.io PriorityStrategySpec."""

    routing_keys: list[str] | None = None


class WeightedStrategy(Kept):
    """skupper.io WeightedStrategySpec."""

    routing_keys: dict[str, int] | None = None


class KeyStrategy(Kept):
    """skupper.io MultiKeyListenerStrategy, which is one of both."""

    priority: PriorityStrategy | None = None
    weighted: WeightedStrategy | None = None


class MultiKeySpec(Kept):
    """skupper.io MultiKeyListenerSpec."""

    host: str = ""
    strategy: KeyStrategy = field(default_factory=KeyStrategy)


class MultiKeyListener(Named):
    """skupper.io MultiKeyListener: a Service of this cluster that leads to one of several routing keys."""

    spec: MultiKeySpec = field(default_factory=MultiKeySpec)

    @property
    def keys(self) -> tuple[str, ...]:
        """All that connections may go to."""
        strategy = self.spec.strategy
        by_priority = (strategy.priority or PriorityStrategy()).routing_keys
        by_weight = (strategy.weighted or WeightedStrategy()).routing_keys
        return (*(by_priority or ()), *(by_weight or ()))


class SelectedPod(Kept):
    """skupper.io PodDetails."""

    ip: str = ""


class ConnectorSpec(Kept):
    """skupper.io ConnectorSpec."""

    routing_key: str = ""
    host: str = ""


class ConnectorStatus(Kept):
    """skupper.io ConnectorStatus."""

    selected_pods: list[SelectedPod] | None = None

    @property
    def addresses(self) -> Iterator[str]:
        """Of the pods that it leads to."""
        return (each.ip for each in self.selected_pods or ())


class Connector(Named):
    """skupper.io Connector: pods or a host that are offered under a routing key."""

    spec: ConnectorSpec = field(default_factory=ConnectorSpec)
    status: ConnectorStatus = field(default_factory=ConnectorStatus)


class AttachedSpec(Kept):
    """skupper.io AttachedConnectorSpec."""

    site_namespace: str = ""


class AttachedConnector(Named):
    """skupper.io AttachedConnector: pods of a namespace without a site, for the site of another namespace to offer."""

    spec: AttachedSpec = field(default_factory=AttachedSpec)
    status: ConnectorStatus = field(default_factory=ConnectorStatus)


class BindingSpec(Kept):
    """skupper.io AttachedConnectorBindingSpec."""

    connector_namespace: str = ""
    routing_key: str = ""


class Binding(Named):
    """skupper.io AttachedConnectorBinding: what the site of its namespace offers of another namespace."""

    spec: BindingSpec = field(default_factory=BindingSpec)


class LinkEndpoint(Kept):
    """skupper.io Endpoint."""

    host: str = ""


class LinkSpec(Kept):
    """skupper.io LinkSpec."""

    endpoints: list[LinkEndpoint] | None = None


class LinkStatus(Kept):
    """skupper.io LinkStatus."""

    remote_site_id: str = ""
    remote_site_name: str = ""


class Link(Named):
    """skupper.io Link: how a site reaches another."""

    spec: LinkSpec = field(default_factory=LinkSpec)
    status: LinkStatus = field(default_factory=LinkStatus)

    def meanings(self) -> Iterator[Meaning]:
        """The addresses of the other site's routers; hosts may be names, too."""
        status = self.status
        for endpoint in self.spec.endpoints or ():
            yield Meaning(
                role="gateway",
                cidr=endpoint.host,
                kind="Site",
                name=status.remote_site_name,
                clusters=(status.remote_site_id,),
            )


class Joined(NamedTuple):
    """A kind of which objects say something together with those of others."""

    kind: WantedKind[Any]
    needs: tuple[WantedKind[Any], ...]
    tell: Callable[[Found, Services], Iterator[Meaning]]


SITES: Final = WantedKind(group=_GROUP, plural="sites", versions=_VERSIONS, type=Site)
LINKS: Final = WantedKind(group=_GROUP, plural="links", versions=_VERSIONS, type=Link)
LISTENERS: Final = WantedKind(group=_GROUP, plural="listeners", versions=_VERSIONS, type=Listener)
MULTI_KEY_LISTENERS: Final = WantedKind(
    group=_GROUP, plural="multikeylisteners", versions=_VERSIONS, type=MultiKeyListener
)
CONNECTORS: Final = WantedKind(group=_GROUP, plural="connectors", versions=_VERSIONS, type=Connector)
ATTACHED: Final = WantedKind(group=_GROUP, plural="attachedconnectors", versions=_VERSIONS, type=AttachedConnector)
BINDINGS: Final = WantedKind(group=_GROUP, plural="attachedconnectorbindings", versions=_VERSIONS, type=Binding)


def _listened(kind: WantedKind[Any]) -> Callable[[Found, Services], Iterator[Meaning]]:
    def tell(found: Found, services: Services) -> Iterator[Meaning]:
        """Each address of a listener's Service is what each site offers under its keys."""
        sites = _sites(found)
        for thing in found.get(kind.source, ()):
            namespace = thing.metadata.namespace
            offered = [
                (key, each) for site in sites.get(namespace, ()) for key in thing.keys for each in site.offering(key)
            ]
            for address in services.get((namespace, thing.spec.host), ()):
                for key, site_id in offered:
                    yield Meaning(
                        role="listener",
                        cidr=address,
                        kind="ServiceImport",
                        namespace=namespace,
                        name=key,
                        clusters=(site_id,),
                    )

    return tell


def _connected(found: Found, services: Services) -> Iterator[Meaning]:
    sites = _sites(found)
    for thing in found.get(CONNECTORS.source, ()):
        namespace = thing.metadata.namespace
        addresses = (*thing.status.addresses, *_of_host(thing.spec.host, namespace, services))
        yield from _offers(sites.get(namespace, ()), thing.spec.routing_key, addresses)


def _bound(found: Found, _: Services) -> Iterator[Meaning]:
    sites = _sites(found)
    attached = {
        (each.metadata.namespace, each.metadata.name, each.spec.site_namespace): each
        for each in found.get(ATTACHED.source, ())
    }
    for thing in found.get(BINDINGS.source, ()):
        namespace = thing.metadata.namespace
        connector = attached.get((thing.spec.connector_namespace, thing.metadata.name, namespace))
        if connector is not None:
            yield from _offers(sites.get(namespace, ()), thing.spec.routing_key, tuple(connector.status.addresses))


def _offers(sites: Sequence[Site], key: str, addresses: Sequence[str]) -> Iterator[Meaning]:
    for site in sites:
        for address in addresses:
            yield Meaning(role="connector", cidr=address, name=key, clusters=(site.metadata.uid,))


def _sites(found: Found) -> dict[str, list[Site]]:
    """By namespace, which has one, or for a while two."""
    sites: dict[str, list[Site]] = {}
    for site in found.get(SITES.source, ()):
        sites.setdefault(site.metadata.namespace, []).append(site)
    return sites


def _of_host(host: str, namespace: str, services: Services) -> Sequence[str]:
    """Its address, or those of the Service of this cluster that it names; of other hosts nothing is known."""
    try:
        return (str(ip_address(host)),)
    except ValueError:
        name, *rest = host.split(".")
    if rest and (len(rest) == 1 or rest[1] == "svc"):
        namespace = rest[0]
    elif rest:
        return ()
    return services.get((namespace, name), ())


JOINED: Final = (
    Joined(LISTENERS, (SITES,), _listened(LISTENERS)),
    Joined(MULTI_KEY_LISTENERS, (SITES,), _listened(MULTI_KEY_LISTENERS)),
    Joined(CONNECTORS, (SITES,), _connected),
    Joined(BINDINGS, (SITES, ATTACHED), _bound),
)
