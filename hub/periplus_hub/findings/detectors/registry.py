"""Every detector."""

from typing import Final

from periplus_hub.findings.detectors.allocator_against_pods import AllocatorAgainstPods
from periplus_hub.findings.detectors.base import Detector
from periplus_hub.findings.detectors.clock_skew import ClockSkew
from periplus_hub.findings.detectors.contradictory_pools import ContradictoryPools
from periplus_hub.findings.detectors.copied_cluster import CopiedCluster
from periplus_hub.findings.detectors.duplicate_identity import DuplicateIdentity
from periplus_hub.findings.detectors.failing_dependencies import FailingDependencies
from periplus_hub.findings.detectors.full_nodes import FullNodes
from periplus_hub.findings.detectors.full_pools import FullPools
from periplus_hub.findings.detectors.leaking_pools import LeakingPools
from periplus_hub.findings.detectors.lost_flows import LostFlows
from periplus_hub.findings.detectors.new_peers import NewPeers
from periplus_hub.findings.detectors.one_sided_dependencies import OneSidedDependencies
from periplus_hub.findings.detectors.orphaned_ranges import OrphanedRanges
from periplus_hub.findings.detectors.overlaps import Overlaps
from periplus_hub.findings.detectors.shared_identity import SharedIdentity
from periplus_hub.findings.detectors.silent_fleet import SilentFleet
from periplus_hub.findings.detectors.silent_nodes import SilentNodes
from periplus_hub.findings.detectors.slow_dependencies import SlowDependencies
from periplus_hub.findings.detectors.stale_clusters import StaleClusters
from periplus_hub.findings.detectors.stopped_flows import StoppedFlows
from periplus_hub.findings.detectors.unkept_register import UnkeptRegister
from periplus_hub.findings.detectors.unmeasured_flows import UnmeasuredFlows
from periplus_hub.findings.detectors.unreadable_sources import UnreadableSources
from periplus_hub.findings.detectors.vanished_dependencies import VanishedDependencies

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
    NewPeers(),
    VanishedDependencies(),
    OneSidedDependencies(),
    FailingDependencies(),
    SlowDependencies(),
    UnmeasuredFlows(),
    LostFlows(),
    StoppedFlows(),
)
