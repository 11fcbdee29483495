"""Asking the hub whether clusters can be joined, and its answer as the JSON document of `periplus preflight --json`."""

from collections.abc import Sequence
from typing import Any, Final

from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.hub_client import HubClient

PREFLIGHT: Final = """
query Preflight(
  $into: [FederationTarget!], $clusters: [ID!], $planned: [PlannedClusterInput!], $networksEntered: Boolean!
) {
  preflight(into: $into, clusters: $clusters, planned: $planned, networksEntered: $networksEntered) {
    asOf verdict notLookedAt
    clusters { count names }
    notKnownWhole { count names }
    ways {
      target name verdict waysOut moveCount
      moves { clusterName allocationKind: kind cidr why insteadOf }
      rules {
        name asks verdict source because lacks trusts rangeCount
        ranges {
          cidr clusterCount
          uses { clusterName kinds }
          entered { cidr what name owner note networkDomain }
        }
      }
    }
  }
}
"""


def ask_preflight(
    client: HubClient,
    into: Sequence[FederationTarget] | None,
    clusters: Sequence[str] | None,
    planned: Sequence[dict[str, Any]] = (),
    *,
    networks_entered: bool = False,
) -> dict[str, Any]:
    """The document; `into` None is every way, `clusters` None all clusters."""
    variables = {
        "into": None if into is None else [each.name for each in into],
        "clusters": clusters,
        "planned": list(planned),
        "networksEntered": networks_entered,
    }
    found: dict[str, Any] = document(client.ask(PREFLIGHT, variables)["preflight"])
    return found
