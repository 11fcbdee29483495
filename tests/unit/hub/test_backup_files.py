"""What is no whole, undamaged backup, or one of a later hub, is named and refused before anything is changed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from periplus_hub.backups.model import DUMP, FORMAT, MANIFEST, SUMS, Manifest, refuse_full, refuse_newer
from periplus_hub.backups.sums import seal, verified, write_sums
from periplus_hub.kit.errors import Refusal

FLOWS = "periplus_flows/data/part.bin"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def manifest(**changes: Any) -> Manifest:
    given: dict[str, Any] = {
        "format": FORMAT,
        "hub_version": "1.2.3",
        "hub_id": "hub",
        "started_at": AT,
        "ended_at": AT,
        "schema": "expand_0001",
        "postgres_version": "18.6",
        "database_bytes": 1,
        "flows": "files",
        "flow_schema": 1,
        "flow_place": "",
        "tenants": (UUID(int=1),),
        "files": {DUMP: 4, FLOWS: 5},
    }
    return Manifest(**given | changes)


def written(folder: Path, **changes: Any) -> Path:
    """A backup as `periplus backup` leaves it."""
    folder.mkdir()
    (folder / DUMP).write_bytes(b"dump")
    (folder / FLOWS).parent.mkdir(parents=True)
    (folder / FLOWS).write_bytes(b"flows")
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest(**changes)))
    write_sums(folder, seal(folder))
    return folder


def shortened(folder: Path) -> None:
    (folder / FLOWS).write_bytes(b"flow")


def flipped(folder: Path) -> None:
    (folder / DUMP).write_bytes(b"dumq")


def edited(folder: Path) -> None:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("expand_0001", "expand_0002"))


def torn(folder: Path) -> None:
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes()[:40])


def without_a_line(folder: Path) -> None:
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(lines[:-1]))


def with_a_stranger(folder: Path) -> None:
    (folder / FLOWS).with_name("core").write_bytes(b"")


@pytest.mark.promise("restored-is-whole")
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (shortened, f"{FLOWS} has 4 bytes of 5"),
        (flipped, f"{DUMP} is not what was written"),
        (edited, f"{MANIFEST} is not what was written"),
        (torn, f"{MANIFEST} cannot be read"),
        (without_a_line, f"{SUMS} lacks {DUMP}"),
        (with_a_stranger, "periplus_flows/data/core does not belong to it"),
        (lambda folder: (folder / FLOWS).unlink(), f"{FLOWS} is missing"),
        (lambda folder: (folder / SUMS).unlink(), f"it has no {SUMS}, which is written last"),
        (lambda folder: (folder / SUMS).write_text("\0" * 100), f"{SUMS} cannot be read"),
    ],
)
def test_what_is_damaged_or_missing_is_named(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    folder = written(tmp_path / "copy")
    assert verified(folder) == manifest()
    harm(folder)
    with pytest.raises(Refusal) as refused:
        verified(folder)
    assert said in refused.value.message
    assert refused.value.remedy


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is no folder with a backup"):
        verified(tmp_path / "nowhere")


def test_a_later_format_is_refused_whatever_it_looks_like(tmp_path: Path) -> None:
    folder = written(tmp_path / "copy")
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT + 1, "files": "otherwise"}))
    with pytest.raises(Refusal, match=f"has format {FORMAT + 1}, and this hub reads formats up to {FORMAT}"):
        verified(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hub_version": "1.10.0"}, "taken by Periplus 1.10.0, and this is 1.9.0"),
        ({"schema": "expand_0003"}, "schema is expand_0003, and this hub knows schemas up to expand_0002"),
        ({"flow_schema": 4}, "flows is 4, and this hub knows up to 3"),
    ],
)
def test_a_later_hubs_backup_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    known = ("1.9.0", ["expand_0001", "expand_0002"], 3)
    refuse_newer(manifest(hub_version="1.9.0.dev3+abc"), *known)
    with pytest.raises(Refusal, match=said) as refused:
        refuse_newer(manifest(**changes), *known)
    assert refused.value.remedy.startswith("Restore it with Periplus")


def test_too_little_disk_is_said_with_what_is_needed() -> None:
    refuse_full("/data", 2_000_000, 2_000_000)
    with pytest.raises(Refusal, match="/data has 2 MB free, and 3 MB are needed"):
        refuse_full("/data", 2_000_000, 3_000_000)
