"""`periplus plan`: what is typed."""

import sys

import pytest

from periplus_hub.api.cli import main


@pytest.mark.parametrize("option", ["--nodes", "--pods", "--services"])
def test_more_than_any_cluster_has_is_mistyped(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["periplus", "plan", "--cluster", "new", option, "99999999999999999999"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 64
    assert f"Invalid value for '{option}'" in capsys.readouterr().err
