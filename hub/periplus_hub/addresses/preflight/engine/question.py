"""Everything that one question is judged by. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.spoken_for import SpokenFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The clusters to join, by name, and what people said of the networks that they are in."""

    parties: Sequence[Party]
    spoken_for: Sequence[SpokenFor] = ()
    """Reservations, and what was entered in the clusters' network domains and those connected flat with them."""
    perhaps_near: Sequence[SpokenFor] = ()
    """What was entered in all other network domains, where one of these may be that of a planned cluster."""
    elsewhere: int = 0
    """How many ranges are entered in other network domains, where none of these can be a cluster's."""
    domain_names: Mapping[UUID, str] = field(default_factory=dict)
    is_whole_fleet: bool = False
    """Whether every cluster that there is is asked about."""
    networks_entered: bool = False
    """Whether whoever asks says that all networks that are routed to these clusters are entered."""
