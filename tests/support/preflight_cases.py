"""Questions of pre-flight as values: two clusters that nothing keeps apart, and what is changed about them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np

from periplus_hub.addresses.free.model import RangeReservation
from periplus_hub.addresses.ipam.engine.knowledge import Knowledge, Missing
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.spoken_for import SpokenFor, of_entered, of_reservation
from periplus_hub.addresses.ranges.model import EnteredRange, RangeUse

from tests.support.clock import START
from tests.support.prefix_columns import prefix_columns

EU, US, LAB = UUID(int=101), UUID(int=102), UUID(int=103)
DOMAINS = {EU: "eu", US: "us", LAB: "lab"}
Rows = Iterable[tuple[Use, str]]
A_ROWS = ((Use.POD_ROUTED, "10.1.0.0/16"), (Use.SERVICE, "10.96.0.0/16"), (Use.NODE, "10.0.1.5/32"))
B_ROWS = ((Use.POD_ROUTED, "10.2.0.0/16"), (Use.SERVICE, "10.97.0.0/16"), (Use.NODE, "10.8.2.5/32"))
FORBIDDEN = Missing(
    source="nodes", state="forbidden", reason="forbidden", message="no", remedy="Grant the spoke its ClusterRole."
)


def columns(rows: Rows) -> ClusterColumns:
    """Of one cluster; each row is another node's."""
    ordered = list(dict.fromkeys(rows))
    return ClusterColumns(
        prefix_columns([parse(cidr) for _, cidr in ordered]),
        np.array([USES.index(use) for use, _ in ordered], dtype=np.uint8),
        np.arange(1, len(ordered) + 1, dtype=np.int64),
    )


def cluster(name: str, rows: Rows, **changes: Any) -> Party:
    """Known whole, running Cilium with a name of its own, on AWS."""
    whole = Party(
        name=name,
        registration_id=UUID(int=sum(name.encode())),
        domain_id=EU,
        knowledge=Knowledge.COMPLETE,
        columns=columns(rows),
        cnis=("cilium",),
        aliases=(f"cilium={name}",),
        provider="aws",
    )
    return replace(whole, **changes)


def planned(name: str, rows: Rows, *given: AllocationKind, **changes: Any) -> Party:
    """Not built yet; these kinds are given."""
    base = {"registration_id": None, "domain_id": None, "cnis": (), "aliases": (), "provider": ""}
    return cluster(name, rows, given=frozenset(given), **(base | changes))


def lacking(*kinds: AllocationKind) -> dict[str, Any]:
    """Changes of a cluster of which not all of these is known."""
    return {"knowledge": Knowledge.INCOMPLETE, "lacking": dict.fromkeys(kinds, (FORBIDDEN,))}


def entered(cidr: str, use: RangeUse, domain: UUID = EU, **words: str) -> SpokenFor:
    """A range that somebody entered."""
    values: dict[str, Any] = dict.fromkeys(EnteredRange.__dataclass_fields__, "")
    values |= {"cidr": cidr, "use": use, "domain_id": domain, **words}
    return of_entered(EnteredRange(**values), DOMAINS[domain])


def reserved(cidr: str, kind: AllocationKind, cluster_name: str) -> SpokenFor:
    """A range that somebody reserved."""
    return of_reservation(
        RangeReservation(
            id=UUID(int=9), cidr=cidr, kind=kind, cluster_name=cluster_name, reason="next year", reserved_by="ann",
            created_at=START, expires_at=START,
        )
    )  # fmt: skip


def question(*parties: Party, **more: Any) -> Question:
    """About these clusters."""
    return Question(parties=sorted(parties, key=lambda each: each.name), domain_names=DOMAINS, **more)
