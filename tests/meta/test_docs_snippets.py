"""The pieces of configuration that pages show can be used: they parse, and every name in them exists."""

import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from docs.build import configuration, metrics
from docs.build.source import ROOT
from periplus_hub.api.config import HubConfig
from periplus_hub.findings.receivers_file import read_receivers
from periplus_hub.pricing.engine.book_file import read_book

from tests.meta.gates.source import repository_files
from tests.meta.test_docs_commands import fault

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_VARIABLE: Final = re.compile(r"\bPERIPLUS_[A-Z_]+[A-Z]\b")
UNITS: Final = ROOT / "docs/operate/systemd"
_OF_SHELLS: Final = {"PERIPLUS_TOKEN", "PERIPLUS_URL", "PERIPLUS_CA_FILE", "PERIPLUS_NETBOX_TOKEN"}
"""Read by the commands for people, and no settings."""


def hand_written() -> Iterator[tuple[str, str]]:
    """Name and text of each page that nobody generates."""
    for path in repository_files():
        if path.suffix == ".md" and not path.is_relative_to(ROOT / "docs/reference"):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def blocks(language: str) -> list[tuple[str, str]]:
    return [(name, body) for name, text in hand_written() for kind, body in _BLOCK.findall(text) if kind == language]


def unit(text: str) -> configparser.ConfigParser:
    """A systemd unit; its `Environment=` may be there several times."""
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.read_string(text)
    return parsed


def unknown_variables(text: str, page: str) -> set[str]:
    known = set(_VARIABLE.findall(page)) | _OF_SHELLS
    return {name for name in _VARIABLE.findall(text) if name not in known}


def unknown_metrics(expression: str, page: str) -> set[str]:
    return {name for name in re.findall(r"\bperiplus_\w+", expression) if f"`{name}`" not in page}


def test_every_settings_file_shown_is_one_the_hub_takes() -> None:
    shown = [tomllib.loads(body) for _, body in blocks("toml")]
    settings = [each for each in shown if not {"receiver", "price"} & {*each}]
    for each in settings:
        HubConfig.model_validate(each)
    assert len(settings) >= 1


def test_every_file_of_receivers_shown_is_one_the_hub_takes(tmp_path: Path) -> None:
    shown = [body for _, body in blocks("toml") if "[[receiver]]" in body]
    for body in shown:
        for name in re.findall(r'_file = "(.*?)"', body):
            (tmp_path / name).write_text("https://hooks.example.org/a")
        (tmp_path / "receivers.toml").write_text(body)
        assert read_receivers(tmp_path / "receivers.toml")
    assert len(shown) >= 1


def test_every_price_book_shown_is_one_the_hub_takes() -> None:
    shown = [body for _, body in blocks("toml") if "[[price]]" in body]
    assert all(read_book(body).prices for body in shown)
    assert len(shown) >= 1


def test_every_unit_starts_a_command_of_ours() -> None:
    shown = [(path.name, unit(path.read_text())) for path in UNITS.glob("*.service")]
    started = [(name, parsed["Service"]["ExecStart"]) for name, parsed in shown]
    words = [(name, shlex.split(line.removeprefix("/opt/periplus/.venv/bin/"))) for name, line in started]
    assert [f"{name}: {' '.join(each)}" for name, each in words if fault(each)] == []
    assert {each[0] for _, each in words} == {"periplus", "periplus-spoke"}


def test_every_variable_a_page_names_is_a_setting() -> None:
    page = configuration.render()
    unknown = {(name, each) for name, text in hand_written() for each in unknown_variables(text, page)}
    assert unknown == set()


def test_every_manifest_and_rule_shown_is_yaml_and_asks_for_metrics_there_are() -> None:
    page = metrics.render()
    rules: list[dict[str, Any]] = []
    for _, body in blocks("yaml"):
        for document in yaml.safe_load_all(body):
            rules += [rule for group in document.get("groups", ()) for rule in group["rules"]]
    assert {name for rule in rules for name in unknown_metrics(rule["expr"], page)} == set()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5


def test_what_does_not_exist_is_found() -> None:
    page = "`PERIPLUS_DATA_DIR` `periplus_ready`"
    assert unknown_variables("PERIPLUS_DATA_DIR PERIPLUS_URL PERIPLUS_GONE=1", page) == {"PERIPLUS_GONE"}
    assert unknown_metrics('periplus_ready == 0 or periplus_gone{a="b"} > 1', page) == {"periplus_gone"}
    assert unit("[Service]\nEnvironment=A=1\nEnvironment=B=2\nExecStart=x y\n")["Service"]["ExecStart"] == "x y"
