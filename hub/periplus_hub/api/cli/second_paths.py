"""Contexts that lead to one cluster: the first in the kubeconfig's order is read, whichever spoke was the fastest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.hub_client import HubClient

_CHANGE: Final = """
mutation Change($cluster: ID!) {
  %s(cluster: $cluster) {
    __typename
    ... on Problem { message remedy }
  }
}
"""


@dataclass
class SecondPaths:
    """The hub lets the spoke of a cluster in that comes first, and every further one waits for somebody to decide."""

    client: HubClient
    order: Sequence[str]
    """Of the clusters' names: the kubeconfig's."""
    start_again: Callable[[str], None]
    """Starts a spoke afresh, so that it does not wait until it asks the hub the next time."""
    preferred: dict[str, str] = field(default_factory=dict)
    """By the name of a cluster that gave way, the one that is read instead."""
    _looked_at: set[str] = field(default_factory=set)

    def settle(self, waiting: Sequence[str]) -> None:
        """Decide for those of `waiting` that were not looked at yet: who stands earlier takes the place."""
        fresh = [name for name in waiting if name not in self._looked_at]
        if not fresh:
            return
        known = queries.clusters(self.client)
        for name in sorted(fresh, key=self.order.index):
            self._looked_at.add(name)
            twin = self.kept(name, known)
            if twin in self.order and twin in known and self.order.index(twin) > self.order.index(name):
                self._prefer(known[name], known[twin])
                known = queries.clusters(self.client)

    def is_taking_over(self, name: str) -> bool:
        """Whether it has got the place of another, and is not pending any more whatever its spoke still says."""
        return name in self.preferred.values()

    def kept(self, name: str, known: Mapping[str, Mapping[str, Any]]) -> str:
        """The cluster that is read where `name` leads; nothing when the hub does not say."""
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            if name in self.preferred:
                name = self.preferred[name]
            elif (cluster := known.get(name)) is not None and cluster["registration"] == "PENDING":
                name = (cluster["duplicate"] or {}).get("name", "")
        return name

    def _prefer(self, earlier: Mapping[str, Any], later: Mapping[str, Any]) -> None:
        for change, cluster in (("revokeCluster", later), ("approveCluster", earlier)):
            queries.outcome(self.client.ask(_CHANGE % change, {"cluster": cluster["id"]}), change)
        self.preferred[later["name"]] = earlier["name"]
        self.start_again(earlier["name"])
