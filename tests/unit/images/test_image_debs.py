"""Debian's packages: taken from the cache only as what the lock says they are."""

import hashlib
from pathlib import Path

import pytest

from requirements.images import debs

DEB = debs.Deb("word", "1.0", hashlib.sha256(b"Alice").hexdigest())


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(debs, "CACHE", tmp_path)
    monkeypatch.setattr(debs, "locked", lambda: {"word": DEB})
    DEB.path.parent.mkdir(parents=True)
    return tmp_path


def test_a_file_that_is_what_the_lock_says_is_not_fetched_again() -> None:
    DEB.path.write_text("Alice")
    assert debs.fetched(["word"]) == [DEB]


def test_a_file_that_is_not_is_named() -> None:
    DEB.path.write_text("Bob")
    with pytest.raises(debs.ImageError, match=r"word_.*is not what .*says"):
        debs.fetched(["word"])


def test_a_version_that_the_mirror_has_no_more_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*command: str, folder: Path | None = None) -> str:
        raise debs.ImageError(f"{command[0]}: version not found")

    monkeypatch.setattr(debs, "_apt", gone)
    with pytest.raises(debs.ImageError, match=r"not found\n.*no word 1\.0 any more.*--lock"):
        debs.fetched(["word"])
