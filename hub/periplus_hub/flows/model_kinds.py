"""The kinds of an end of flows that are not a workload's own. Pure."""

from typing import Final

from periplus_contract.flow_words import OTHER

SERVICE: Final = "Service"
NODE: Final = "Node"
SERVICE_IMPORT: Final = "ServiceImport"
"""A service of several clusters, or of one that is not known, as a cluster imports it."""
GATEWAY: Final = "gateway"
"""A door of a cluster: which of its workloads is meant is not known."""
EXTERNAL: Final = "external"
"""A range of public addresses that no cluster has; or a host that a client asked for, of which no address is known."""
ADDRESS: Final = "address"
"""An address that no cluster is known to have."""
RANGE: Final = "range"
"""A range that somebody entered, and in it an address that no cluster is known to have."""
CLUSTER_RANGE: Final = "cluster-range"
"""A range of a cluster, and in it an address that nobody there is known to have."""
REMOTE: Final = "remote"
"""What a source named in a cluster that nobody knows by the name that the source has for it, or a service by a host."""
AMBIGUOUS: Final = "ambiguous"
"""An address that several had, or a name of several, and it is not known which of them is meant."""

OUTSIDE: Final = (EXTERNAL, RANGE)
"""Ends that are in no cluster, and of which more than that is known."""
UNRESOLVED: Final = (AMBIGUOUS, ADDRESS, CLUSTER_RANGE, REMOTE)
"""Ends of which it is not known whose they are."""
ANYBODY: Final = (*UNRESOLVED, OTHER)
"""Ends that may be any workload; `other` stands for all beyond a spoke's row budget."""
OF_FLOWS: Final = (SERVICE, NODE, SERVICE_IMPORT, GATEWAY, *OUTSIDE, *ANYBODY)
"""Kinds that ends may have, whatever there is in clusters."""
