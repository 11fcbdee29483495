"""Every detector."""

from typing import Final

from periplus_hub.findings.detectors.allocator_against_pods import AllocatorAgainstPods
from periplus_hub.findings.detectors.base import Detector
from periplus_hub.findings.detectors.clock_skew import ClockSkew
from periplus_hub.findings.detectors.contradictory_pools import ContradictoryPools
from periplus_hub.findings.detectors.copied_cluster import CopiedCluster
from periplus_hub.findings.detectors.duplicate_identity import DuplicateIdentity
from periplus_hub.findings.detectors.full_nodes import FullNodes
from periplus_hub.findings.detectors.full_pools import FullPools
from periplus_hub.findings.detectors.leaking_pools import LeakingPools
from periplus_hub.findings.detectors.orphaned_ranges import OrphanedRanges
from periplus_hub.findings.detectors.overlaps import Overlaps
from periplus_hub.findings.detectors.shared_identity import SharedIdentity
from periplus_hub.findings.detectors.silent_fleet import SilentFleet
from periplus_hub.findings.detectors.silent_nodes import SilentNodes
from periplus_hub.findings.detectors.stale_clusters import StaleClusters
from periplus_hub.findings.detectors.unkept_register import UnkeptRegister
from periplus_hub.findings.detectors.unreadable_sources import UnreadableSources

DETECTORS: Final[tuple[Detector, ...]] = (
    Overlaps(),
    StaleClusters(),
    SilentFleet(),
    UnreadableSources(),
    DuplicateIdentity(),
    CopiedCluster(),
    SharedIdentity(),
    UnkeptRegister(),
    ClockSkew(),
    FullPools(),
    FullNodes(),
    ContradictoryPools(),
    SilentNodes(),
    LeakingPools(),
    OrphanedRanges(),
    AllocatorAgainstPods(),
)
