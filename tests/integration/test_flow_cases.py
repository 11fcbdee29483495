"""The cases of tests/cases/flows, each in a hub of its own."""

from pathlib import Path

import pytest

from tests.cases.__main__ import DIFFERENT, FINE, UNREADABLE, main

FLOWS = Path("tests/cases/flows")


def test_every_case_is_as_it_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flows", str(FLOWS)]) == FINE
    assert capsys.readouterr().out.splitlines() == sorted(f"{path.stem}: ok" for path in FLOWS.glob("*.json"))


def test_what_differs_is_said_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (FLOWS / "both-report.json").read_text()
    (tmp_path / "a.json").write_text(text.replace('"bytesTx": 3000', '"bytesTx": 3001'))
    assert main(["flows", str(tmp_path)]) == DIFFERENT
    assert "both-report: shop/web@east to shop/api@west: bytesTx is 3000, not 3001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ('{"id": "a", "clusters": [], "expect": {}}', "clusters"),
        (
            '{"id": "a", "clusters": [{"name": "x"}], "rows": [{"src": "a", "dst": "b", "by": "y"}], "expect": {}}',
            "'y'",
        ),
        ('{"id": "a", "clusters": [{"name": "x", "colour": "red"}], "expect": {}}', "colour"),
        ('{"id": "a", "clusters": [{"name": "x"}], "now": "soon", "expect": {}}', "soon"),
    ],
)
def test_a_file_that_is_no_case_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, why: str
) -> None:
    (tmp_path / "a.json").write_text(wrong)
    assert main(["flows", str(tmp_path)]) == UNREADABLE
    said = capsys.readouterr().err
    assert "a.json" in said
    assert why in said
