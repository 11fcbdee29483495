"""Bytes that released spokes send decode to the rows they always decoded to."""

import json
from pathlib import Path
from typing import Any

import pytest

from periplus_contract.version import CONTRACT

from tests.support.golden import FOLDER, current, read

RECORDED = sorted(FOLDER.glob("*/*.batch"))


def as_recorded(found: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """`found` with only the columns that existed when the recording was made: later minors append some."""
    rows = {
        name: [{column: row[column] for column in old} for row, old in zip(rows, recorded["rows"][name], strict=True)]
        for name, rows in found["rows"].items()
    }
    return {**found, "rows": rows}


@pytest.mark.promise("old-bytes-stay-readable")
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recorded_bytes_decode_to_the_recorded_rows(path: Path) -> None:
    recorded = json.loads(path.with_suffix(".json").read_text())
    assert as_recorded(read(path.read_bytes()), recorded) == recorded


@pytest.mark.promise("old-bytes-stay-readable")
def test_every_kind_and_mode_of_the_current_version_is_recorded() -> None:
    names = {path.stem for path in RECORDED if path.parent.name == str(CONTRACT)}
    assert names == {name for name, _ in current()}


def test_what_the_spoke_encodes_today_decodes_to_the_same() -> None:
    for name, sealed in current():
        assert read(sealed) == json.loads((FOLDER / str(CONTRACT) / f"{name}.json").read_text())
