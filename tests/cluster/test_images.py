"""The images as `make images` builds them: what is in them, and that their processes run, as in a cluster."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from dataclasses import replace
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

from requirements.images import debs, libraries
from requirements.images.recipes import HUB, HUB_EMBEDDED, IMAGES, SITE, SPOKE, Image
from tests.support.boxes import Box, unpacked
from tests.support.permitted import BUILT

pytestmark = [pytest.mark.needs("built images")]
IN_A_BOX = pytest.mark.needs("boxes of bubblewrap")
OURS = {
    SPOKE.name: {"periplus-contract", "periplus-spoke"},
    HUB.name: {"periplus-contract", "periplus-hub"},
    HUB_EMBEDDED.name: {"periplus-contract", "periplus-hub"},
}
EVERY_MODULE = """
import importlib, pkgutil, sys
wrong = []
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for each in pkgutil.walk_packages(package.__path__, name + "."):
        if "migrations" not in each.name and not each.name.endswith("__main__"):
            try:
                importlib.import_module(each.name)
            except Exception as error:
                wrong.append(f"{each.name}: {error!r}")
print("\\n".join(wrong), end="")
"""

ASK_THE_ENGINE = """
import clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path="/tmp/flows")
print(client.command("SELECT sum(number) FROM numbers(3)"))
"""


@pytest.fixture(scope="module")
def layouts() -> Path:
    """What `make images` left. It is not built here: Debian's mirrors keep no older packages than their newest."""
    return BUILT


@pytest.fixture(scope="module")
def boxes(layouts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Box]:
    roots = tmp_path_factory.mktemp("roots")
    return {image.name: unpacked(layouts / image.name, roots / image.name) for image in IMAGES}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_locks_bill_and_files_name_the_same(image: Image, layouts: Path, boxes: dict[str, Box]) -> None:
    root = boxes[image.name].root
    known = debs.locked()
    locked = {("deb", name, known[name].version) for layer in image.layers for name in layer.debs}
    locked |= {("pypi", n, v) for layer in image.layers for n, v in libraries.locked(layer).items()}
    there = {("deb", path.name, known[path.name].version) for path in (root / "var/lib/dpkg/status.d").iterdir()}
    for path in (root / SITE).glob("*.dist-info/METADATA"):
        about = Parser().parsestr(path.read_text(), headersonly=True)
        there.add(("pypi", normal(about["Name"]), about["Version"]))
    ours = {part for part in there if part[1] in OURS[image.name]}
    assert {name for _, name, _ in ours} == OURS[image.name]
    assert there - ours == locked
    bill = json.loads((layouts / f"{image.name}.cdx.json").read_bytes())
    billed = {(part["purl"].split(":")[1].split("/")[0], part["name"], part["version"]) for part in bill["components"]}
    assert billed == there


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_every_file_of_python_is_of_a_package_that_is_named(image: Image, boxes: dict[str, Box]) -> None:
    site = boxes[image.name].root / SITE
    recorded = {
        line.rpartition(",")[0].rpartition(",")[0].strip('"')
        for path in site.glob("*.dist-info/RECORD")
        for line in path.read_text().splitlines()
    }
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} - recorded == set()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_only_what_a_process_needs_can_be_run(image: Image, boxes: dict[str, Box]) -> None:
    root = boxes[image.name].root
    programs = {path.name for folder in ("usr/bin", "usr/local/bin", "usr/sbin") for path in (root / folder).glob("*")}
    shell = {"sh", "dash"} if image is HUB_EMBEDDED else set()
    assert programs == {"python3.13", image.program} | shell
    privileged = [path for path in root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]
    assert privileged == []


@IN_A_BOX
@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_every_module_of_ours_loads(image: Image, boxes: dict[str, Box]) -> None:
    names = [normal(name).replace("-", "_") for name in OURS[image.name]]
    done = boxes[image.name].run("-I", "-c", EVERY_MODULE, *names, program="/usr/bin/python3.13")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@IN_A_BOX
def test_the_engine_of_flows_answers(boxes: dict[str, Box]) -> None:
    done = boxes[HUB_EMBEDDED.name].run("-I", "-c", ASK_THE_ENGINE, program="/usr/bin/python3.13")
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr


@IN_A_BOX
def test_the_spoke_tells_its_version_and_what_it_lacks(boxes: dict[str, Box]) -> None:
    box = boxes[SPOKE.name]
    told = box.run("--version")
    assert told.returncode == 0
    assert told.stdout.startswith("periplus-spoke 0.")
    lacking = box.run("check", "--kubeconfig", "/nowhere")
    assert lacking.returncode == 3
    assert "/nowhere" in lacking.stderr + lacking.stdout


@IN_A_BOX
def test_the_hub_for_stores_elsewhere_says_that_it_has_none(boxes: dict[str, Box], tmp_path: Path) -> None:
    box = replace(boxes[HUB.name], volumes={"/var/lib/periplus": tmp_path})
    done = box.run("hub", "serve", "--data-dir", "/var/lib/periplus/data")
    assert done.returncode != 0
    assert "PERIPLUS_DATABASE_URL" in done.stdout + done.stderr


@IN_A_BOX
def test_the_hub_with_stores_of_its_own_becomes_ready(boxes: dict[str, Box], tmp_path: Path) -> None:
    box = replace(boxes[HUB_EMBEDDED.name], volumes={"/var/lib/periplus": tmp_path})
    ports = ("--spokes-port", "0", "--api-port", "0", "--metrics-port", "0")
    arguments = ("hub", "serve", "--data-dir", "/var/lib/periplus/data", "--ready-file", "/var/lib/periplus/ready.json")
    with (tmp_path / "hub.log").open("wb") as log:
        process = subprocess.Popen(box.command(*arguments, *ports), stdout=log, stderr=log)
    try:
        ready = wait_for(tmp_path / "ready.json", process, tmp_path / "hub.log")
        with urllib.request.urlopen(f"{ready['metrics_url']}/readyz") as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.wait(60)


def wait_for(path: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    while not path.exists():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found
