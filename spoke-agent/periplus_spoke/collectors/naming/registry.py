"""All kinds of objects that say what addresses stand for, or what this cluster is called. Another is a line here."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from periplus_spoke.collectors.naming import egress, istio, linkerd, multi_cluster_services, skupper, submariner
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Calling, Found, Meaning, Meaningful, Services

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
    skupper.LINKS,
)
"""Of which each object says it by itself."""
JOINED_KINDS: Final = skupper.JOINED
"""Of which objects say it together with those of other kinds."""
CALLING_KINDS: Final[tuple[WantedKind[Calling], ...]] = (submariner.GATEWAYS, skupper.SITES)
READ_KINDS: Final[tuple[WantedKind[Any], ...]] = tuple(
    dict.fromkeys(
        (
            *NAMING_KINDS,
            *(kind for joined in JOINED_KINDS for kind in (joined.kind, *joined.needs)),
            *CALLING_KINDS,
        )
    )
)
TELLING_SOURCES: Final = tuple(each.source for each in (*NAMING_KINDS, *(joined.kind for joined in JOINED_KINDS)))


def said(found: Found, absent: frozenset[str], services: Services | None) -> Iterator[tuple[str, Iterable[Meaning]]]:
    """What objects say by kind, each all of it; nothing of a kind of which that is not known whole.

    `absent` are kinds that this API server does not serve; `services` is None while these are not known.
    """
    for kind in NAMING_KINDS:
        if kind.source in found or kind.source in absent:
            yield kind.source, (each for thing in found.get(kind.source, ()) for each in thing.meanings())
    for joined in JOINED_KINDS:
        is_read = {joined.kind.source, *(each.source for each in joined.needs)} <= found.keys() | absent
        # Where there is none of it, services do not matter, and what it said before is over.
        if is_read and (services is not None or not found.get(joined.kind.source)):
            yield joined.kind.source, joined.tell(found, services or {})


def called(found: Found) -> tuple[str, ...]:
    """What systems call this cluster."""
    things = (thing for kind in CALLING_KINDS for thing in found.get(kind.source, ()))
    return tuple(sorted({name for thing in things for name in thing.called()}))
