"""What is in the packages that are built of this checkout, and that a wheel needs nothing but its sdist."""

import email
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ["contract", "hub", "spoke-agent"]


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")


def built(kind: type[SdistBuilder] | type[WheelBuilder], root: Path, folder: Path) -> Path:
    (made,) = kind(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(made)


def unpacked(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


def contents(wheel: Path) -> dict[str, bytes]:
    """By name; RECORD lists in the order of the archive, which says nothing."""
    with zipfile.ZipFile(wheel) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    (record,) = [name for name in found if name.endswith("/RECORD")]
    return found | {record: b"\n".join(sorted(found[record].splitlines()))}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_of_the_sdist_is_that_of_the_checkout(package: str, tmp_path: Path) -> None:
    root = unpacked(built(SdistBuilder, ROOT / package, tmp_path / "sdist"), tmp_path / "unpacked")
    again = contents(built(WheelBuilder, root, tmp_path / "again"))
    assert again == contents(built(WheelBuilder, ROOT / package, tmp_path / "wheel"))


def test_the_hub_brings_its_migrations(tmp_path: Path) -> None:
    with zipfile.ZipFile(built(WheelBuilder, ROOT / "hub", tmp_path)) as wheel:
        names = set(wheel.namelist())
    files = [path for path in (ROOT / "migrations").rglob("*.py") if "__pycache__" not in path.parts]
    assert {f"periplus_hub/migrations/{path.relative_to(ROOT / 'migrations').as_posix()}" for path in files} <= names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("kind", [SdistBuilder, WheelBuilder])
@pytest.mark.parametrize("package", PACKAGES)
def test_whoever_builds_it_wherever_and_whenever_gets_the_same_bytes(
    package: str, kind: type[SdistBuilder] | type[WheelBuilder], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    for folder in (package, "migrations"):
        shutil.copytree(ROOT / folder, elsewhere / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".gitignore", elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    again = built(kind, elsewhere / package, tmp_path / "again")
    assert again.read_bytes() == built(kind, ROOT / package, tmp_path / "here").read_bytes()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_says_what_it_is_and_under_which_licence(package: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(built(WheelBuilder, ROOT / package, tmp_path)) as wheel:
        (licence,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
        assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()
        (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        about = email.message_from_bytes(wheel.read(name))
    assert about["License-Expression"] == "Apache-2.0"
    assert str(about.get_payload()).startswith(f"# {about['Name']}")
    assert about["Description-Content-Type"] == "text/markdown"
