"""What objects say that addresses stand for: those of other clusters, of gateways, of what is outside. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final, Literal, Protocol

import msgspec

from periplus_spoke.conversion.rows import Row
from periplus_spoke.conversion.text import shared

Role = Literal["import", "local", "listener", "connector", "entry", "gateway", "global", "egress", "range", "endpoint"]
"""Of `periplus_contract.tables.MEANINGS`."""


class Meaning(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the table `meanings`, but for its source. `cidr` is a text as somebody wrote it, and may be none."""

    role: Role
    cidr: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    clusters: tuple[str, ...] = ()


class Meaningful(Protocol):
    """An object that says such things."""

    def meanings(self) -> Iterator[Meaning]:
        """All that it says now."""


class Calling(Protocol):
    """An object that says what its system calls this cluster."""

    def called(self) -> Iterator[str]:
        """Names, as `aliases` of the cluster has them: `system=name`."""


Found = Mapping[str, Sequence[Any]]
"""Objects of each kind that was read, by its source."""
Services = Mapping[tuple[str, str], Sequence[str]]
"""The cluster's own addresses of its services, by namespace and name."""


def meaning_rows(source: str, meanings: Iterable[Meaning], teller: str = "") -> Iterator[tuple[str, Row]]:
    """(uid, row) of each whose address is one. What is said is part of the uid: another thing said is another row.

    So is `teller`, of objects that are told one by one: what two of them say stays until both are gone.
    """
    for each in meanings:
        cidr = _canonical(each.cidr)
        if cidr is None:
            continue
        clusters = tuple(sorted({name for name in each.clusters if name}))
        said = (each.role, cidr, each.kind, each.namespace, each.name, *clusters)
        digest = hashlib.sha256("\x1f".join(said).encode()).hexdigest()[:_DIGITS]
        yield (
            f"{source}/{teller}{digest}",
            (source, each.role, cidr, each.kind, shared(each.namespace) or "", each.name, clusters),
        )


_DIGITS: Final = 32


def _canonical(text: str) -> str | None:
    """A range as text; None for a host's name and everything else that is none, and for what says nothing."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return str(network) if network.prefixlen and not network.is_loopback else None
