"""Which of several contexts of one cluster is read: the first in the kubeconfig's order, however they raced."""

from itertools import permutations
from typing import Any, cast

import pytest

from periplus_hub.api.cli.second_paths import SecondPaths
from periplus_hub.api.hub_client import HubCallError, HubClient


class Hub:
    """Lets the first of a cluster in and holds up the others, as the real one does; all lead to one cluster."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.twins: dict[str, str | None] = {}

    def enrol(self, name: str) -> None:
        live = next((each for each, state in self.states.items() if state != "REVOKED"), None)
        self.states[name], self.twins[name] = ("ACTIVE" if live is None else "PENDING"), live

    @property
    def pending(self) -> list[str]:
        return [name for name, state in self.states.items() if state == "PENDING"]

    def ask(self, question: str, variables: dict[str, Any]) -> dict[str, Any]:
        for change, state in (("revokeCluster", "REVOKED"), ("approveCluster", "ACTIVE")):
            if change in question:
                self.states[variables["cluster"]] = state
                return {change: {"__typename": "Cluster"}}
        nodes = [
            {"id": name, "name": name, "state": state, "registration": state, "duplicate": self.twin_of(name)}
            for name, state in self.states.items()
        ]
        return {"clusters": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}}

    def twin_of(self, name: str) -> dict[str, str] | None:
        twin = self.twins[name]
        return None if twin is None else {"name": twin}


ORDER = ["first", "second", "third"]


@pytest.mark.parametrize("race", list(permutations(ORDER)))
@pytest.mark.parametrize("at_once", [True, False])
def test_the_first_in_order_is_read_whoever_was_the_fastest(race: tuple[str, ...], *, at_once: bool) -> None:
    hub = Hub()
    started: list[str] = []
    paths = SecondPaths(cast("HubClient", hub), ORDER, started.append)
    for name in race:
        hub.enrol(name)
        if not at_once:
            paths.settle(hub.pending)
    paths.settle(hub.pending)
    known = {
        name: {"registration": state, "duplicate": {"name": hub.twins[name]}} for name, state in hub.states.items()
    }
    assert [name for name, state in hub.states.items() if state == "ACTIVE"] == ["first"]
    assert {paths.kept(name, known) for name in ORDER} == {"first"}
    assert not paths.is_taking_over("third")
    assert started[-1:] == ([] if race[0] == "first" else ["first"])


def test_nobody_is_asked_twice_about() -> None:
    hub = Hub()
    paths = SecondPaths(cast("HubClient", hub), ORDER, lambda _: None)
    hub.enrol("first")
    hub.enrol("second")
    paths.settle(["second"])
    hub.ask = None  # type: ignore[method-assign,assignment] # any question would fail now
    paths.settle(["second"])


def test_a_hub_that_refuses_ends_it() -> None:
    hub = Hub()
    paths = SecondPaths(cast("HubClient", hub), ORDER, lambda _: None)
    hub.enrol("second")
    hub.enrol("first")
    answer = hub.ask

    def refuse(question: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "revokeCluster" in question:
            return {"revokeCluster": {"__typename": "Forbidden", "message": "no", "remedy": "ask"}}
        return answer(question, variables)

    hub.ask = refuse  # type: ignore[method-assign] # of this one hub
    with pytest.raises(HubCallError, match="no"):
        paths.settle(["first"])
