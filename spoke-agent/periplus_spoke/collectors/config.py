"""Settings of the collectors; the defaults are what a cluster of any size runs with."""

import msgspec

from periplus_spoke.conversion.flow_sources import BY_AGENTS, Kind
from periplus_spoke.conversion.text import DEFAULT_LABEL_KEYS


class CollectConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds."""

    delta_interval_s: float = 2.0
    """Changes are gathered this long before they become a delta."""
    ipam_interval_s: int = 60
    """The window of pools."""
    first_snapshot_wait_s: float = 15.0
    """The first snapshot goes out after this long, without the kinds that are still being read; so long, too, between
    snapshots that tell those."""
    facts_interval_s: float = 600.0
    """Version, API groups, configuration maps and cluster properties are read again this often."""
    sources_interval_s: float = 600.0
    """Object counts of sources are told again this often, when they changed."""
    label_keys: tuple[str, ...] = DEFAULT_LABEL_KEYS
    """Labels that leave the cluster; a trailing `*` stands for any ending."""
    flow_sources: tuple[str, ...] = ()
    """Sources of flows that may be read, the best first; empty is all, in our order."""
    flow_readers: frozenset[Kind] = BY_AGENTS
    """Those that somebody reads: the agents of nodes, or a collector that has what it needs."""
    distribution: str = ""
    """Name of the distribution, when its hints are not enough."""
