"""The cache of built programs: what names a build, and what may stand in for one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster.rig import golang, toolchain
from tests.cluster.rig.build import ensure_tools
from tests.cluster.rig.golang import Go, ToolchainError
from tests.cluster.rig.helm import Helm
from tests.cluster.rig.toolchain import (
    CONTROL_PLANE,
    CRANE,
    HELM,
    HUBBLE,
    KUBERNETES,
    KWOK,
    PROMETHEUS,
    STAGES_FILE,
    Module,
    Tools,
)

_GO = Go(Path("/nowhere/go"), "go1.26.0 linux/amd64")


def _assets(folder: Path, tools: Tools) -> Path:
    folder.mkdir()
    for name, path in tools.binaries.items():
        (folder / name).symlink_to(path)
    return folder


def test_complete_assets_are_taken_as_they_are(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = _assets(tmp_path / "assets", tools)
    shutil.copy(tools.kwok_stages, assets / STAGES_FILE)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    monkeypatch.setenv("PATH", "")
    taken = ensure_tools(pytest.fail)
    assert taken == Tools({name: assets / name for name in tools.binaries}, assets / STAGES_FILE)


def test_assets_without_stages_get_those_of_the_pinned_kwok(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(_assets(tmp_path / "assets", tools)))
    taken = ensure_tools(pytest.fail)
    assert taken.kwok_stages.read_text() == tools.kwok_stages.read_text()


def test_incomplete_assets_are_named_and_not_used(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = _assets(tmp_path / "assets", tools)
    (assets / "kwok").unlink()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    said: list[str] = []
    assert ensure_tools(said.append) == tools
    assert said == ["KUBEBUILDER_ASSETS lacks kwok: building instead"]


def test_another_pin_or_another_go_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(KWOK.folder, tmp_path / "tools" / "kwok")
    monkeypatch.setattr(toolchain, "MODULES_FOLDER", tmp_path / "tools")
    first = KWOK.cache_folder(tmp_path, _GO)
    assert first == KWOK.cache_folder(tmp_path, _GO)
    assert first != KWOK.cache_folder(tmp_path, Go(_GO.binary, "go1.26.1 linux/amd64"))
    with (KWOK.folder / "go.sum").open("a") as sums:
        sums.write("\n")
    assert first != KWOK.cache_folder(tmp_path, _GO)


def test_another_source_of_ours_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(HUBBLE.folder, tmp_path / "tools" / "hubble")
    monkeypatch.setattr(toolchain, "MODULES_FOLDER", tmp_path / "tools")
    first = HUBBLE.cache_folder(tmp_path, _GO)
    with (HUBBLE.folder / "observer" / "main.go").open("a") as source:
        source.write("\n")
    assert first != HUBBLE.cache_folder(tmp_path, _GO)


def test_the_pins_are_read_from_go_mod() -> None:
    versions = {module.name: module.version for module in (*CONTROL_PLANE, HELM, CRANE, PROMETHEUS, HUBBLE)}
    assert versions == {
        "etcd": "v3.6.16",
        "kwok": "v0.8.0",
        "kubernetes": "v1.36.3",
        "helm": "v4.3.1",
        "registry": "v0.22.1",
        "prometheus": "v0.315.1",
        "hubble": "v1.20.2",
    }
    with pytest.raises(ToolchainError, match="does not require"):
        _ = Module("kwok", "example.invalid/none", {}).version


def test_every_staging_module_has_the_version_of_kubernetes() -> None:
    text = (KUBERNETES.folder / "go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (v\S+)$", text, re.MULTILINE)
    assert len(replaced) == 33
    staging = KUBERNETES.version.replace("v1.", "v0.")
    assert all(name == by and version == staging for name, by, version in replaced)


def test_an_old_go_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.24.1 linux/amd64\n")
    old.chmod(0o755)
    wheel = tmp_path / "wheel" / "go"
    wheel.parent.mkdir()
    wheel.write_text("#!/bin/sh\necho go version go1.26.6 linux/amd64\n")
    wheel.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(golang, "_go_from_wheel", lambda *_: wheel)
    said: list[str] = []
    assert golang.find_go(tmp_path, said.append) == Go(wheel, "go1.26.6 linux/amd64")
    assert said == ["go1.24.1 linux/amd64 on PATH is older than 1.26"]


def test_the_command_line_names_what_it_has(
    tools: Tools, helm: Helm, crane: Path, prometheus_program: Path, hubble_programs: Mapping[str, Path]
) -> None:
    command = [sys.executable, "-m", "tests.cluster.rig.build"]
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    programs = (*tools.binaries.values(), helm.program, crane, prometheus_program, *hubble_programs.values())
    assert all(str(path) in done.stdout for path in programs)
