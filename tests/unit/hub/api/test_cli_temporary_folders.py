"""Only what is certainly a dead trial's goes."""

import os
from pathlib import Path

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
