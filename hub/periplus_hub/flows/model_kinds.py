"""The kinds of an end of flows that are not a workload's own. Pure."""

from typing import Final

from periplus_contract.flow_words import OTHER

SERVICE: Final = "Service"
NODE: Final = "Node"
EXTERNAL: Final = "external"
"""A range of public addresses that no cluster has."""
ADDRESS: Final = "address"
"""An address that no cluster is known to have."""
AMBIGUOUS: Final = "ambiguous"
"""An address that several had, and it is not known which of them is meant."""

UNRESOLVED: Final = (AMBIGUOUS, ADDRESS)
"""Ends of which it is not known whose they are."""
ANYBODY: Final = (*UNRESOLVED, OTHER)
"""Ends that may be any workload; `other` stands for all beyond a spoke's row budget."""
