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


def test_packages_that_the_mirror_has_no_more_are_all_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = {name: debs.Deb(name, "1.0", DEB.sha256) for name in ("kept", "lost", "replaced")}
    monkeypatch.setattr(debs, "locked", lambda: lock)
    offered = {"kept": "  kept | 1.0 | a mirror\n", "lost": "", "replaced": "  replaced | 1.1 | a mirror\n"}
    monkeypatch.setattr(debs, "_apt", lambda program, *words, folder=None: offered[words[-1]])
    with pytest.raises(debs.ImageError) as told:
        debs.fetched(lock)
    said = str(told.value)
    assert "lost 1.0" in said
    assert "replaced 1.0" in said
    assert "kept" not in said
    assert "make images-pins" in said


def test_packages_are_fetched_by_one_command_and_kept_by_their_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = {name: debs.Deb(name, "1.0", hashlib.sha256(name.encode()).hexdigest()) for name in ("lib", "libc")}
    commands = []

    def mirror(program: str, *words: str, folder: Path | None = None) -> str:
        if folder is None:
            return f"  {words[-1]} | 1.0 | a mirror\n"
        commands.append((program, *words))
        for name in lock:
            (folder / f"{name}_1.0_amd64.deb").write_text(name)
        return ""

    monkeypatch.setattr(debs, "locked", lambda: lock)
    monkeypatch.setattr(debs, "_apt", mirror)
    assert debs.fetched(lock) == list(lock.values())
    assert commands == [("apt-get", "download", "lib=1.0", "libc=1.0")]
