"""A name on the command line means the cluster that is there now."""

from collections.abc import Mapping
from typing import Any

import pytest
import typer

from periplus_hub.api.cli.clusters_command import find
from periplus_hub.api.client import HubClient


class Answering(HubClient):
    """A hub with these clusters."""

    def __init__(self, *nodes: dict[str, str]) -> None:
        self.nodes = nodes

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {"clusters": {"nodes": list(self.nodes), "pageInfo": {"hasNextPage": False, "endCursor": None}}}


OLD = {"id": "Cluster:1", "name": "prod", "state": "REVOKED"}
NEW = {"id": "Cluster:2", "name": "prod", "state": "ACTIVE"}


def test_a_cluster_that_joined_again_is_found_by_its_name() -> None:
    assert find(Answering(OLD, NEW), "prod") == NEW
    assert find(Answering(NEW, OLD), "prod") == NEW


def test_a_revoked_one_is_found_by_its_id_or_when_it_is_alone() -> None:
    assert find(Answering(OLD, NEW), "Cluster:1") == OLD
    assert find(Answering(OLD), "prod") == OLD
    with pytest.raises(typer.Exit):
        find(Answering(OLD), "other")
