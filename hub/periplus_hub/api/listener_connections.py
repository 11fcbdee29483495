"""What a listener's connections share: their places, and the count of those refused."""

from dataclasses import dataclass
from typing import Self

from periplus_hub.api.refused_connections import RefusedConnections
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.metrics import gauge
from periplus_hub.kit.seats import Seats, Sizes

_held = gauge("periplus_http_connections", "Connections that are open, by listener.", ("listener",))


@dataclass(frozen=True, slots=True)
class ListenerConnections:
    """One listener's."""

    seats: Seats
    refusals: RefusedConnections

    @classmethod
    def of(cls, listener: str, sizes: Sizes, clock: Clock) -> Self:
        """An empty one."""
        refusals = RefusedConnections(listener, clock)
        seats = Seats(sizes, refusals.count)
        _held.labels(listener).set_function(lambda: seats.held)
        return cls(seats, refusals)
