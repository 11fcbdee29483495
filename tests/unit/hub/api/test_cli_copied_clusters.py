"""What the command line says of clusters with one kube-system uid."""

from typing import Any

import pytest
import typer

from periplus_hub.api.cli.copies import copy_notes
from periplus_hub.api.cli.fail_on import FailOn, leave
from periplus_hub.api.cli.report import ClusterLine, ClusterState, Report


def cluster(*copies: tuple[str, bool]) -> dict[str, Any]:
    return {"copies": [{"isToldApart": told, "cluster": {"name": name}} for name, told in copies]}


def test_nothing_is_said_where_every_uid_is_its_own() -> None:
    assert copy_notes({"a": cluster(), "b": cluster()}) == ()


def test_copies_are_told_once_in_the_order_of_the_clusters() -> None:
    known = {"w02": cluster(("w01", True)), "w01": cluster(("w02", True)), "other": cluster()}
    (note,) = copy_notes(known)
    assert note.startswith("w02, w01 have one kube-system uid and no node in common")


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("is_told_apart", [True, False])
def test_scripts_are_told_of_copies_though_nothing_overlaps(
    is_told_apart: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tuple(ClusterLine(name=name, context="", state=ClusterState.COMPLETE) for name in ("w01", "w02"))
    copies = copy_notes({"w01": cluster(("w02", is_told_apart)), "w02": cluster(("w01", is_told_apart))})
    leave(Report(clusters=lines, groups=()), FailOn.CONFLICT)
    leave(Report(clusters=lines, groups=(), copies=copies), None)
    with pytest.raises(typer.Exit) as left:
        leave(Report(clusters=lines, groups=(), copies=copies), FailOn.CONFLICT)
    assert left.value.exit_code == 1
    assert "w01, w02 have one kube-system uid" in capsys.readouterr().err


def test_what_is_not_known_is_not_told_as_known() -> None:
    known = {
        "w01": cluster(("w02", True), ("dev", False)),
        "w02": cluster(("w01", True), ("dev", False)),
        "dev": cluster(("w01", False), ("w02", False)),
    }
    apart, unclear = copy_notes(known)
    assert apart.startswith("w01, w02 have one kube-system uid and no node in common")
    assert unclear.startswith("w01, w02, dev have one kube-system uid. It")
    assert "It is not known whether they are one cluster" in unclear
