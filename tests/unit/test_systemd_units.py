"""The units for systemd: what they start is there, and all of them are shut in alike."""

from configparser import ConfigParser
from pathlib import Path
from typing import Final

import pytest

from tests.support.shown_commands import ROOT

UNITS: Final = sorted((ROOT / "docs/operate/systemd").glob("*.service"))
PAGE: Final = ROOT / "docs/operate/install.md"
COMMANDS: Final = {
    "periplus-hub": "periplus hub serve --config /etc/periplus/hub.toml",
    "periplus-work": "periplus hub work --config /etc/periplus/hub.toml",
    "periplus-spoke": "periplus-spoke run",
    "periplus-node": "periplus-spoke node",
}
SHUT: Final = (
    "NoNewPrivileges",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "RestrictNamespaces",
    "LockPersonality",
)


def read(path: Path) -> ConfigParser:
    """Strictly: what is said twice is an error."""
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd are not in lower case
    unit.read_string(path.read_text())
    return unit


def test_each_program_that_stays_has_its_unit_and_the_page_names_it() -> None:
    assert {path.stem for path in UNITS} == COMMANDS.keys()
    assert all(f"`{path.name}`" in PAGE.read_text() for path in UNITS)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_our_program_and_shuts_it_in(path: Path) -> None:
    service = read(path)["Service"]
    program, _, words = service["ExecStart"].partition(" ")
    assert (Path(program).parent, f"{Path(program).name} {words}") == (
        Path("/opt/periplus/.venv/bin"),
        COMMANDS[path.stem],
    )
    assert {service[name] for name in SHUT} == {"yes"}
    assert service["ProtectSystem"] == "strict"
    is_of_node = path.stem == "periplus-node"
    assert service["CapabilityBoundingSet"] == ("CAP_NET_ADMIN" if is_of_node else "")
    assert ("User" in service) is not is_of_node
