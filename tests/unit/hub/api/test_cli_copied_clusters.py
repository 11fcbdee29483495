"""What the command line says of clusters with one kube-system uid."""

from typing import Any

from periplus_hub.api.cli.copies import copy_notes


def cluster(*copies: tuple[str, bool]) -> dict[str, Any]:
    return {"copies": [{"isToldApart": told, "cluster": {"name": name}} for name, told in copies]}


def test_nothing_is_said_where_every_uid_is_its_own() -> None:
    assert copy_notes({"a": cluster(), "b": cluster()}) == ()


def test_copies_are_told_once_in_the_order_of_the_clusters() -> None:
    known = {"w02": cluster(("w01", True)), "w01": cluster(("w02", True)), "other": cluster()}
    (note,) = copy_notes(known)
    assert note.startswith("w02, w01 have one kube-system uid and no node in common")


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
