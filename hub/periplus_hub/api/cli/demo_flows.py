"""The flows of `periplus demo`: agents join, tell of the last hours, and then of every minute while it serves."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from periplus_hub.api.cli import queries
from periplus_hub.api.cli.dependencies_command import DEPENDENCIES
from periplus_hub.api.cli.output import say_labelled
from periplus_hub.api.cli.report import counted
from periplus_hub.api.cli.temporary_fleet import Fleet
from periplus_hub.api.cli.tokens_command import CREATE_AGENTS
from periplus_hub.api.demo.node_agents import NodeAgents
from periplus_hub.api.demo.posting import post_to
from periplus_hub.api.demo.traffic import connections_between_clusters, nodes_with_agents, one_sided
from periplus_hub.api.hub_client import HubCallError
from periplus_hub.kit.clock import Clock

QUERY: Final = (
    "{ dependencies(first: 5, filter: {crossCluster: true}) { edges { source { cluster { name } name } "
    "destination { cluster { name } name } bytesTx bytesRx connectionsOpened failures rttUs state onlySeenBy } "
    "coverage { ratio } } }"
)
COMMANDS: Final = (
    "dependencies --cross-cluster --sort rtt",
    "dependencies --state new --state silent",
    "dependencies --of shop/payments@payments-dublin",
    "costs --by path-class --explain",
    "coverage",
)
"""The third shows what shop-frankfurt's calls look like to whom they are made."""
TO_SEE: Final = (
    "Pods of shop-frankfurt have addresses that pods of shop-dublin have, too: payments-dublin cannot tell whose calls "
    "it gets."
)
ORDER: Final = "BYTES"
_ROLLED_UP_S: Final = 90.0
_POLL_S: Final = 0.5
_TOKEN_DAYS: Final = 1
_MOST: Final = 50


class DemoFlows:
    """Of one demonstration."""

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet = fleet
        self._agents = NodeAgents(clock)
        self._post = post_to(fleet.ready.spokes_url)
        self._is_troubled = False

    def begin(self) -> None:
        """Let the agents join and tell of the hours before. Raises HubCallError."""
        progress, client = self._fleet.progress, self._fleet.client
        known = queries.clusters(client)
        joining = {name: nodes for name, nodes in nodes_with_agents().items() if name in known}
        progress.show(f"joining {counted(sum(map(len, joining.values())), 'agent')} of nodes")
        tokens = {name: self._token(known[name]["id"]) for name in joining}
        asyncio.run(self._agents.join(self._post, tokens))
        progress.show("telling what passed in the last hours")
        asyncio.run(self._agents.tell(self._post))

    def dependencies(self) -> dict[str, Any]:
        """Those across clusters, when the hub has made all of what was told; else those that it has made."""
        agents, since = self._agents, datetime.fromtimestamp(self._agents.history_from_s, UTC).isoformat()
        told = connections_between_clusters(agents.start_s, agents.history_from_s)
        found: dict[str, Any] = {}

        def is_made() -> bool:
            found.update(self._ask(since))
            made = sum(int(edge["connectionsOpened"] or 0) for edge in found["edges"])
            self._fleet.progress.show("adding up who talked to whom", f"{made:,} of {told:,} connections")
            # What one end told counts alone until the other's rows are there, and nothing is silent while some wait.
            alone = sum(edge["onlySeenBy"] is not None for edge in found["edges"])
            return made >= told and alone <= one_sided() and found["coverage"]["waitingSince"] is None

        is_whole = self._fleet.children.wait_for(is_made, _ROLLED_UP_S, _POLL_S)
        self._fleet.progress.clear()
        if not is_whole:
            say_labelled("note", "not everything is added up yet: ask again in a while")
        return found

    def each_second(self) -> None:
        """Tell of the minute that is over, if one is. What cannot be sent is said once, and sent later."""
        if not self._agents.has_news:
            return
        try:
            asyncio.run(self._agents.tell(self._post))
        except HubCallError as error:
            if not self._is_troubled:
                say_labelled("note", f"flows wait to be sent: {error.message}")
            self._is_troubled = True
        else:
            self._is_troubled = False

    def _ask(self, since: str) -> dict[str, Any]:
        asked = {"first": _MOST, "since": since, "level": "WORKLOAD", "order": ORDER, "filter": {"crossCluster": True}}
        found: dict[str, Any] = self._fleet.client.ask(DEPENDENCIES, asked)["dependencies"]
        return found

    def _token(self, cluster: str) -> str:
        asked = {"cluster": cluster, "days": _TOKEN_DAYS}
        return str(queries.outcome(self._fleet.client.ask(CREATE_AGENTS, asked), "createAgentsToken")["token"])
