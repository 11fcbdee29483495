"""Programs of one machine find each other and leave each other's variables alone."""

from pathlib import Path

import pytest
import typer

from periplus_hub.api.cli.hub_connection import find_token
from periplus_hub.api.config import ConfigError, load_config
from periplus_hub.kit.folders import default_data_dir


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PERIPLUS_DATA_DIR", "PERIPLUS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.mark.parametrize("account", [0, 1000])
def test_a_command_looks_for_the_token_where_the_hub_writes_it(monkeypatch: pytest.MonkeyPatch, account: int) -> None:
    monkeypatch.setattr("os.geteuid", lambda: account)
    read: list[Path] = []
    monkeypatch.setattr(Path, "read_text", lambda path, **_: read.append(path) or "ppt_x_y\n")
    assert find_token(None) == "ppt_x_y"
    assert read == [load_config(None, {}).data_dir / "admin-token"] == [default_data_dir() / "admin-token"]


def test_a_data_folder_that_is_named_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "admin-token").write_text("ppt_a_b\n")
    monkeypatch.setenv("PERIPLUS_DATA_DIR", str(tmp_path))
    assert find_token(None) == "ppt_a_b"


def test_variables_of_a_spoke_do_not_stop_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERIPLUS_SPOKE_HUB", "http://127.0.0.1:7946")
    assert load_config(None, {}).spokes_port == 7946
    monkeypatch.setenv("PERIPLUS_SPOKEN", "1")
    with pytest.raises(ConfigError, match="PERIPLUS_SPOKEN"):
        load_config(None, {})


@pytest.mark.parametrize(("folder", "named"), [(None, "default data folder"), ("elsewhere", "PERIPLUS_DATA_DIR")])
def test_a_missing_token_says_which_folder_was_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str | None, named: str
) -> None:
    if folder is not None:
        monkeypatch.setenv("PERIPLUS_DATA_DIR", str(tmp_path / folder))
    with pytest.raises(typer.Exit):
        find_token(None)
    said = capsys.readouterr().err
    assert f"admin-token (in {'the ' if folder is None else ''}{named}) cannot be read: No such file" in said
    assert "PERIPLUS_DATA_DIR has to name the same folder" in said
