"""How one database is reached. Without the driver: a store starts while that is still being loaded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Urls:
    """One database, reached as the hub's role and as its owner."""

    hub: str
    owner: str
