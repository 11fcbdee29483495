"""Asking the hub whether clusters can be joined, and its answer as the JSON document of `periplus preflight --json`."""

from collections.abc import Sequence
from typing import Any, Final

from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.api.cli.json_documents import document
from periplus_hub.api.hub_client import HubClient

PREFLIGHT: Final = """
query Preflight($into: [FederationTarget!], $clusters: [ID!], $planned: [PlannedClusterInput!]) {
  preflight(into: $into, clusters: $clusters, planned: $planned) {
    asOf verdict
    clusters { count names }
    notKnownWhole { count names }
    ways {
      target name verdict waysOut
      rules {
        name asks verdict source because lacks rangeCount
        ranges { cidr clusterCount uses { clusterName kinds } }
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
) -> dict[str, Any]:
    """The document; `into` None is every way, `clusters` None all clusters."""
    variables = {
        "into": None if into is None else [each.name for each in into],
        "clusters": clusters,
        "planned": list(planned),
    }
    found: dict[str, Any] = document(client.ask(PREFLIGHT, variables)["preflight"])
    return found
