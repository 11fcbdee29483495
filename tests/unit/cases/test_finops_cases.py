"""Worked examples of costs are priced exactly; a wrong expectation is named."""

import json
from pathlib import Path

import pytest

from tests.cases.__main__ import DIFFERENT, FINE, UNREADABLE, main

ORACLE = Path(__file__).parents[2] / "cases" / "finops"


def test_all_examples_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finops", str(ORACLE)]) == FINE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 8
    assert all(line.endswith(": ok") for line in lines)


def changed(tmp_path: Path, **members: object) -> str:
    """The first example with other members, in a file of its own."""
    oracle = json.loads((ORACLE / "oracle.json").read_text())
    oracle["examples"] = [oracle["examples"][0] | members]
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(oracle))
    return str(file)


def test_a_cent_less_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finops", changed(tmp_path, expected={"total": "20.47"})]) == DIFFERENT
    assert capsys.readouterr().out == "E01: total: expected 20.47, got 20.48\n"


def test_an_answer_that_is_not_known_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finops", changed(tmp_path, expected={"by_moon": {}})]) == DIFFERENT
    assert "by_moon: not an answer that is known here" in capsys.readouterr().out


def test_prices_of_the_file_hold(tmp_path: Path) -> None:
    oracle = json.loads((ORACLE / "oracle.json").read_text())
    oracle["prices"]["aws.xaz"]["price"] = "0.02"
    oracle["examples"] = [oracle["examples"][0] | {"expected": {"total": "40.96"}}]
    (tmp_path / "dearer.json").write_text(json.dumps(oracle))
    assert main(["finops", str(tmp_path)]) == FINE


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"inputs": {"flows": [{"src": "a", "dst": "b", "gib": "1", "path": "warp"}]}}, "the path 'warp' is not known"),
        ({"inputs": {"flows": [{"src": "a", "dst": "b", "path": "cross_zone"}]}}, "has none of bytes, gib, tib and gb"),
        ({"inputs": {"flows": [{"src": "a", "dst": "b", "gib": "x", "path": "cross_zone"}]}}, "'x' is no number"),
        ({"inputs": {"gib": "-1", "path": "cross_zone"}}, "is below 0"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], members: dict[str, object], said: str
) -> None:
    assert main(["finops", changed(tmp_path, **members)]) == UNREADABLE
    assert said in capsys.readouterr().err


def test_an_open_example_is_not_judged(tmp_path: Path) -> None:
    oracle = json.loads((ORACLE / "oracle.json").read_text())
    oracle["examples"] = [{"id": "X", "inputs": {}, "expected_open": "nobody knows"}]
    (tmp_path / "open.json").write_text(json.dumps(oracle))
    assert main(["finops", str(tmp_path)]) == FINE


def test_a_file_of_another_schema_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.json").write_text("{}")
    assert main(["finops", str(tmp_path)]) == UNREADABLE
    assert "its schema is not periplus-cost-oracle/1" in capsys.readouterr().err
