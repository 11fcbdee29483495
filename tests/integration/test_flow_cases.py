"""The cases of tests/cases/flows, each in a hub of its own."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cases.__main__ import DIFFERENT, FINE, UNREADABLE, main

FLOWS = Path("tests/cases/flows")
PARTS = 12
"""Each takes its turn on a worker: all cases in one test would keep one waiting for minutes."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_case_is_as_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], part: int) -> None:
    paths = sorted(FLOWS.glob("*.json"))[part::PARTS]
    assert paths
    for path in paths:
        shutil.copy(path, tmp_path)
    assert main(["flows", str(tmp_path)]) == FINE
    assert capsys.readouterr().out.splitlines() == [f"{path.stem}: ok" for path in paths]


def test_what_differs_is_said_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (FLOWS / "both-report.json").read_text()
    (tmp_path / "a.json").write_text(text.replace('"bytesTx": 3000', '"bytesTx": 3001'))
    assert main(["flows", str(tmp_path)]) == DIFFERENT
    assert "both-report: shop/web@east to shop/api@west: bytesTx is 3000, not 3001" in capsys.readouterr().out


def test_what_detectors_find_or_do_not_is_said_with_members_found_and_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = json.loads((FLOWS / "finding-vanished.json").read_text())
    [vanished] = case["expect"]["findings"]
    changed = {
        "absent": {"findings": [vanished, {"detector": "slow-dependencies", "members": ["east"]}]},
        "other": {"findings": [vanished | {"severity": "critical"}], "undecided": ["lost-flows"]},
        "unexpected": {"findings": []},
    }
    for name, expect in changed.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(case | {"id": name, "expect": expect}))
    assert main(["flows", str(tmp_path)]) == DIFFERENT
    who, title = "vanished-dependencies of pay/api@east, shop/web@east", "shop/web@east talks to pay/api@east no more"
    turned = "vanished-dependencies of shop/web@east, pay/api@east"
    undecided = "undecided: expected lost-flows, found none"
    assert capsys.readouterr().out.splitlines() == [
        "absent: slow-dependencies of east: expected a finding, found none",
        f"other: {turned}: expected critical, found warning ({title}); {undecided}",
        f"unexpected: {who}: expected none, found warning ({title})",
    ]


def case_with(**members: Any) -> str:
    return json.dumps({"id": "a", "clusters": [{"name": "x"}], "expect": {}} | members)


FINDING = {"detector": "new-peers", "members": ["shop/web@x", "outside"]}
ROW = {"src": "a", "dst": "b", "by": "x"}


@pytest.mark.parametrize(
    ("wrong", "where", "remedy"),
    [
        (case_with(rows=[ROW | {"by": "y"}]), "rows[0].by: 'y'", "known are x"),
        (
            case_with(clusters=[{"name": "x", "colour": "red"}]),
            "'colour' is no member of clusters[0]",
            "known are name,",
        ),
        (case_with(noFindings=[]), "'noFindings' is no member of a case", "known are id, clusters, expect"),
        (case_with(expect={"finding": []}), "'finding' is no member of expect", "findings, undecided"),
        (case_with(now="soon"), "now: 'soon'", "write h:mm"),
        (case_with(rows=[ROW | {"port": "https"}]), "$.rows[0].port", "Expected `int`"),
        (case_with(clusters=[]), "$.clusters", "README.md"),
        (case_with(clusters=[{}]), "`name` - at `$.clusters[0]`", "README.md"),
        (
            case_with(expect={"findings": [FINDING | {"detector": "gone"}]}),
            "expect.findings[0].detector",
            "new-peers, van",
        ),
        (case_with(expect={"findings": [FINDING | {"members": ["a@z"]}]}), "expect.findings[0].members: 'z'", "are x"),
        (case_with(expect={"findings": [FINDING | {"members": []}]}), "$.expect.findings[0].members", "README.md"),
        (case_with(expect={"undecided": ["overlaps"]}), "expect.undecided: 'overlaps'", "known are new-peers"),
        (
            case_with(clusters=[{"name": "x", "tells": [{"from": "1:00", "until": "0:30"}]}]),
            "clusters[0].tells",
            "begin before",
        ),
        (
            case_with(clusters=[{"name": "x", "tells": [{"from": "0:00", "node": "n"}]}]),
            "clusters[0].tells[0].node",
            "none",
        ),
        (
            case_with(clusters=[{"name": "x", "tells": [{"from": "0:00", "lost": {"no": 1}}]}]),
            "tells[0].lost",
            "evicted",
        ),
        (case_with(clusters=[{"name": "x", "heardUntil": "3:00"}]), "clusters[0].heardUntil", "now (2:00)"),
        (case_with(rows=[ROW | {"at": "2:00", "windows": 2}]), "rows[0].at", "after now (2:00)"),
        (case_with(rows=[ROW | {"everyS": 30}]), "rows[0].everyS", "at least windowS"),
        (case_with(rows=[ROW | {"measures": {"bytes": 1}}]), "rows[0].measures: 'bytes'", "bytes_tx"),
    ],
)
def test_a_file_that_is_no_case_is_named_with_the_member_and_what_may_stand_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, where: str, remedy: str
) -> None:
    (tmp_path / "a.json").write_text(wrong)
    assert main(["flows", str(tmp_path)]) == UNREADABLE
    said = capsys.readouterr().err
    assert "a.json" in said
    assert where in said
    assert remedy in said
