"""Only what is certainly a dead trial's goes."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.api.cli import temporary_folders
from periplus_hub.api.cli.temporary_folders import OWNER_FILE, is_abandoned, own, remove_abandoned


def test_only_a_folder_whose_owner_is_gone_is_removed(tmp_path: Path) -> None:
    for name in ("periplus-alive", "periplus-dead", "periplus-strange", "periplus-new", "else"):
        (tmp_path / name).mkdir()
    alive, dead = own(tmp_path / "periplus-alive"), own(tmp_path / "periplus-dead")
    os.close(own(tmp_path / "else"))
    (tmp_path / "periplus-dead" / "hub").mkdir()
    (tmp_path / "periplus-new" / OWNER_FILE).touch()  # its owner is about to lock it
    (tmp_path / "periplus-link").symlink_to(tmp_path / "else")
    assert not is_abandoned(tmp_path / "periplus-dead")
    os.close(dead)
    assert remove_abandoned(tmp_path) == 1
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"periplus-alive", "periplus-strange", "periplus-new", "periplus-link", "else"}
    os.close(alive)
    assert remove_abandoned(tmp_path) == 1


@pytest.mark.parametrize(("times", "gone"), [(2, 1), (10**6, 0)])
def test_what_something_writes_to_yet_goes_when_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, gone: int
) -> None:
    folder = tmp_path / "periplus-dead"
    (folder / "hub" / "postgres").mkdir(parents=True)
    os.close(own(folder))
    remove, tries = shutil.rmtree, iter(range(10**9))

    def writes_meanwhile(path: Path, **how: Any) -> None:
        remove(path, **how)
        if path.name == "hub" and next(tries) < times:
            (path / "postgres").mkdir(parents=True)

    monkeypatch.setattr(shutil, "rmtree", writes_meanwhile)
    monkeypatch.setattr(temporary_folders, "_PATIENCE_S", 0.2 if not gone else 60)
    assert remove_abandoned(tmp_path) == gone
    monkeypatch.setattr(shutil, "rmtree", remove)
    assert remove_abandoned(tmp_path) == 1 - gone, "it is found again"
    assert not list(tmp_path.iterdir())
