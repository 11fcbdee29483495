"""Who has addresses in which network domains, and how those are connected. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from periplus_hub.addresses.overlaps.model import Relation


@dataclass(frozen=True, slots=True)
class Topology:
    """Owners with their network domains, and how domains are connected.

    An owner is an active cluster, or a network domain in which people entered ranges: those are together one owner's.
    """

    domains: Mapping[UUID, UUID]
    connections: Mapping[tuple[UUID, UUID], Relation]

    @property
    def clusters(self) -> list[UUID]:
        """The owners that are clusters: a domain is in itself."""
        return [owner for owner, domain in self.domains.items() if owner != domain]

    @property
    def digest(self) -> str:
        """Equal for equal topologies."""
        owners = sorted(f"{owner} {domain}" for owner, domain in self.domains.items())
        connected = sorted(f"{a} {b} {mode}" for (a, b), mode in self.connections.items())
        return sha256("\n".join([*owners, "", *connected]).encode()).hexdigest()

    def relation(self, a: UUID, b: UUID) -> Relation:
        """Between two clusters."""
        pair = (self.domains[a], self.domains[b])
        if pair[0] == pair[1]:
            return Relation.SAME
        # A connection has no direction, and is stored under whichever order it came in.
        return self.connections.get(pair) or self.connections.get((pair[1], pair[0])) or Relation.ISOLATED

    def relations(self, clusters: Collection[UUID], default: Relation = Relation.ISOLATED) -> frozenset[Relation]:
        """Every relation there is between two of these clusters; domains that nobody connected have the default."""
        homes = Counter(self.domains[cluster] for cluster in clusters)
        found = {Relation.SAME} if len(homes) < len(clusters) else set()
        modes = [mode for (a, b), mode in self.connections.items() if a in homes and b in homes]
        found.update(modes)
        # Fewer connections than pairs of domains: some two are not connected, and have the default.
        if len(modes) < len(homes) * (len(homes) - 1) // 2:
            found.add(default)
        return frozenset(found)

    def only(self, registrations: Iterable[UUID]) -> "Topology":
        """Without the other clusters, and without what people entered where none of these is."""
        kept = set(registrations)
        kept |= {self.domains[each] for each in kept if each in self.domains}
        return Topology({key: domain for key, domain in self.domains.items() if key in kept}, self.connections)
