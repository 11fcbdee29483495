"""All kinds of objects that say what addresses stand for, or what this cluster is called. Another is a line here."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from periplus_spoke.collectors.naming import egress, istio, linkerd, multi_cluster_services, submariner
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Calling, Found, Meaning, Meaningful

NAMING_KINDS: Final[tuple[WantedKind[Meaningful], ...]] = (
    multi_cluster_services.SERVICE_IMPORTS,
    istio.SERVICE_ENTRIES,
    istio.WORKLOAD_ENTRIES,
    linkerd.LINKS,
    submariner.ENDPOINTS,
    submariner.CLUSTERS,
    submariner.INGRESS,
    submariner.EGRESS,
    submariner.CLUSTER_EGRESS,
    egress.OVN_EGRESS,
    egress.CILIUM_EGRESS,
    egress.ANTREA_EGRESS,
)
"""Of which each object says it by itself."""
CALLING_KINDS: Final[tuple[WantedKind[Calling], ...]] = (submariner.GATEWAYS,)
READ_KINDS: Final[tuple[WantedKind[Any], ...]] = tuple(dict.fromkeys((*NAMING_KINDS, *CALLING_KINDS)))
TELLING_SOURCES: Final = tuple(each.source for each in NAMING_KINDS)


def said(found: Found, absent: frozenset[str]) -> Iterator[tuple[str, Iterable[Meaning]]]:
    """What objects say by kind, each all of it; nothing of a kind of which that is not known whole.

    `absent` are kinds that this API server does not serve.
    """
    for kind in NAMING_KINDS:
        if kind.source in found or kind.source in absent:
            yield kind.source, (each for thing in found.get(kind.source, ()) for each in thing.meanings())


def called(found: Found) -> tuple[str, ...]:
    """What systems call this cluster."""
    things = (thing for kind in CALLING_KINDS for thing in found.get(kind.source, ()))
    return tuple(sorted({name for thing in things for name in thing.called()}))
