"""A name on the command line means the cluster that is there now."""

from collections.abc import Mapping
from typing import Any

import pytest
import typer

from periplus_hub.api.cli.clusters_command import clock_note, find, why_pending
from periplus_hub.api.hub_client import HubClient


class Answering(HubClient):
    """A hub with these clusters."""

    def __init__(self, *nodes: dict[str, str]) -> None:
        self.nodes = nodes

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {"clusters": {"nodes": list(self.nodes), "pageInfo": {"hasNextPage": False, "endCursor": None}}}


IDS = [f"Cluster:0192d7a0-1111-7222-8333-00000000000{number}" for number in range(4)]
OLD = {"id": IDS[0], "name": "prod", "state": "REVOKED"}
NEW = {"id": IDS[1], "name": "prod", "state": "ACTIVE"}
OLDER = {"id": IDS[2], "name": "prod", "state": "REVOKED"}


def test_a_cluster_that_joined_again_is_found_by_its_name() -> None:
    assert find(Answering(OLD, NEW), "prod") == NEW
    assert find(Answering(NEW, OLD), "prod") == NEW


def test_a_revoked_one_is_found_by_its_id_or_when_it_is_alone() -> None:
    assert find(Answering(OLD, NEW), IDS[0]) == OLD
    assert find(Answering(OLD, NEW), IDS[0].partition(":")[2].upper()) == OLD
    assert find(Answering(OLD), "prod") == OLD
    with pytest.raises(typer.Exit):
        find(Answering(OLD), "other")


@pytest.mark.promise("names-cannot-deceive")
def test_an_id_never_means_a_cluster_that_calls_itself_so(capsys: pytest.CaptureFixture[str]) -> None:
    """An attacker's cluster was called by the id of the one to be approved."""
    bare = IDS[1].partition(":")[2]
    for name in (IDS[1], bare):
        liar = {"id": IDS[3], "name": name, "state": "PENDING"}
        assert find(Answering(liar, NEW), name) == NEW
        with pytest.raises(typer.Exit):
            find(Answering(liar), name)
        assert "no cluster with the id" in capsys.readouterr().err


def test_one_name_of_several_is_refused_with_their_ids(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        find(Answering(OLD, OLDER), "prod")
    told = capsys.readouterr().err
    assert "2 clusters are called 'prod'" in told
    assert IDS[0] in told
    assert IDS[2] in told


def test_a_name_in_other_letters_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        find(Answering(NEW), "Prod")
    assert "Do you mean 'prod'?" in capsys.readouterr().err


def test_a_cluster_in_the_way_of_a_pending_one_is_named() -> None:
    twin = {"name": "prod", "state": "ACTIVE"}
    assert "'periplus clusters revoke prod'" in why_pending({"name": "new", "state": "PENDING", "duplicate": twin})
    assert why_pending({"name": "new", "state": "ACTIVE", "duplicate": twin}) == ""
    assert why_pending({"name": "new", "state": "PENDING", "duplicate": twin | {"state": "REVOKED"}}) == ""
    assert why_pending({"name": "new", "state": "PENDING", "duplicate": None}) == ""


@pytest.mark.parametrize(
    ("skew_ms", "note"),
    [
        (None, ""),
        ("29000", ""),
        ("-86400000", "86400 s behind the hub's"),
        ("86400000", "86400 s ahead of the hub's; what it reports is set aside until that is right"),
    ],
)
def test_a_wrong_clock_is_told(skew_ms: str | None, note: str) -> None:
    assert clock_note({"clockSkewMs": skew_ms}) == note
