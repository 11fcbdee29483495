"""A case is read as its file says it, or refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cases.__main__ import UNREADABLE, main
from tests.cases.case import UnreadableCase, files, read_case, unknown_members

CASE: dict[str, Any] = {
    "id": "a",
    "clusters": [{"name": "red", "nodes": [{"name": "n1", "podCIDRs": ["10.1.0.0/24"], "providerID": "k3s://n1"}]}],
    "expect": {"try": {"says": ["x"]}},
}


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "a.json"
    path.write_text(json.dumps(CASE | changed))
    return path


def test_what_a_file_leaves_out_is_as_in_most_clusters(tmp_path: Path) -> None:
    case = read_case(written(tmp_path))
    [cluster] = case.clusters
    assert (cluster.service_cidr, cluster.nodes[0].pod_cidrs) == ("10.96.0.0/16", ["10.1.0.0/24"])
    [file] = files(case)
    assert [(entry.context, entry.to) for entry in file.entries] == [("red", "red")]
    assert unknown_members(tmp_path / "a.json") == []


def test_what_is_not_posted_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, clusters=[{"name": "red", "nodes": [{"name": "n1", "colour": "red"}], "mesh": {}}], x=1)
    read_case(path)
    assert sorted(unknown_members(path)) == [".clusters[0].mesh", ".clusters[0].nodes[0].colour", ".x"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"expect": {}}, "nothing is expected"),
        ({"expect": {"try": {"forbids": []}}}, "forbids"),
        ({"expect": {"try": {"says": ["("]}}}, "unterminated"),
        ({"expect": {"try": {"groups": [{"within": "10.0.0.0/33"}]}}}, "10.0.0.0/33"),
        ({"expect": {"try": {"groups": [{"clusters": ["tan"]}]}}}, "'tan'"),
        ({"clusters": []}, "must be clusters"),
        ({"clusters": [{"name": "red", "cloneOf": "tan"}]}, "cloneOf of red"),
        ({"ask": {"sameNetwork": [["red", "tan"]]}}, "sameNetwork"),
        ({"kubeconfig": {"files": [{"name": "f", "entries": [{"context": "c", "to": "red", "via": "mule"}]}]}}, "mule"),
        ({"id": ""}, "$.id"),
    ],
)
def test_a_case_that_cannot_be_held_against_anything_is_refused(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    path = written(tmp_path, **changed)
    with pytest.raises(UnreadableCase) as refused:
        read_case(path)
    assert str(path) in str(refused.value)
    assert named in str(refused.value)


def test_the_command_ends_with_2_and_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    assert main(["overlaps", str(tmp_path)]) == UNREADABLE
    assert str(path) in capsys.readouterr().err


def test_a_folder_without_cases_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["overlaps", str(tmp_path)]) == UNREADABLE
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["overlaps"], ["weather", "x"]])
def test_bad_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == UNREADABLE
