"""The images as `make images` builds them: what is in them, and that their processes run, as in a cluster.

The spoke's is built here, twice. Those of the hub take minutes, and are tested where `make images` left them.
"""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import replace
from email.parser import Parser
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from requirements.images import debs, libraries, oci
from requirements.images.build import build
from requirements.images.recipes import HUB, HUB_EMBEDDED, IMAGES, SITE, SPOKE, USER, Image
from tests.support.boxes import Box, unpacked
from tests.support.permitted import BUILT

OF_SPOKE = pytest.mark.needs("Debian packages of images")
OF_HUB = pytest.mark.needs("built images")
IN_A_BOX = pytest.mark.needs("boxes")
EVERY_IMAGE = pytest.mark.parametrize(
    "image",
    [pytest.param(image, marks=OF_SPOKE if image is SPOKE else OF_HUB, id=image.name) for image in IMAGES],
)
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

WHO_AM_I = """
import errno, os, re
status = open("/proc/self/status").read()
print(os.getuid(), os.getgid(), os.getgroups(), *re.findall(r"^(?:CapEff|NoNewPrivs):\\s+(\\S+)", status, re.M))
try:
    open("/var/lib/file", "w")
except OSError as error:
    print(errno.errorcode[error.errno])
"""

ASK_THE_ENGINE = """
import clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path="/tmp/flows")
print(client.command("SELECT sum(number) FROM numbers(3)"))
"""


@pytest.fixture(scope="module")
def boxes(spoke_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Boxes:
    return Boxes(spoke_images, tmp_path_factory.mktemp("roots"))


class Boxes:
    """Each image, unpacked when a test asks for it."""

    def __init__(self, spoke_images: Path, roots: Path) -> None:
        self._spoke_images, self._roots = spoke_images, roots
        self._made: dict[str, Box] = {}

    def __getitem__(self, image: Image) -> Box:
        if image.name not in self._made:
            folder = self._spoke_images if image is SPOKE else BUILT
            self._made[image.name] = unpacked(folder / image.name, self._roots / image.name)
        return self._made[image.name]


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@EVERY_IMAGE
def test_locks_bill_and_files_name_the_same(image: Image, boxes: Boxes) -> None:
    root = boxes[image].root
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
    bill = json.loads(boxes[image].layout.with_name(f"{image.name}.cdx.json").read_bytes())
    billed = {(part["purl"].split(":")[1].split("/")[0], part["name"], part["version"]) for part in bill["components"]}
    assert billed == there


@EVERY_IMAGE
def test_every_file_of_python_is_of_a_package_that_is_named(image: Image, boxes: Boxes) -> None:
    site = boxes[image].root / SITE
    recorded = {
        line.rpartition(",")[0].rpartition(",")[0].strip('"')
        for path in site.glob("*.dist-info/RECORD")
        for line in path.read_text().splitlines()
    }
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} - recorded == set()


@EVERY_IMAGE
def test_only_what_a_process_needs_can_be_run(image: Image, boxes: Boxes) -> None:
    root = boxes[image].root
    programs = {path.name for folder in ("usr/bin", "usr/local/bin", "usr/sbin") for path in (root / folder).glob("*")}
    shell = {"sh", "dash"} if image is HUB_EMBEDDED else set()
    assert programs == {"python3.13", image.program} | shell
    privileged = [path for path in root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]
    assert privileged == []


@IN_A_BOX
@EVERY_IMAGE
def test_every_module_of_ours_loads(image: Image, boxes: Boxes) -> None:
    names = [normal(name).replace("-", "_") for name in OURS[image.name]]
    done = boxes[image].run("-I", "-c", EVERY_MODULE, *names, program="/usr/bin/python3.13")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@OF_HUB
@IN_A_BOX
def test_the_engine_of_flows_answers(boxes: Boxes) -> None:
    done = boxes[HUB_EMBEDDED].run("-I", "-c", ASK_THE_ENGINE, program="/usr/bin/python3.13")
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr


@OF_SPOKE
def test_the_image_of_the_spoke_is_the_same_bytes_twice(spoke_images: Path, tmp_path: Path) -> None:
    again = build((SPOKE,), tmp_path)
    assert again == {SPOKE.name: oci.digest(spoke_images / SPOKE.name)}
    assert oci.changed_blobs(spoke_images / SPOKE.name) == []
    bill = f"{SPOKE.name}.cdx.json"
    assert (tmp_path / bill).read_bytes() == (spoke_images / bill).read_bytes()


@EVERY_IMAGE
@IN_A_BOX
def test_its_process_is_nobody_and_can_write_no_file(image: Image, boxes: Boxes) -> None:
    done = boxes[image].run("-I", "-c", WHO_AM_I, program="/usr/bin/python3.13")
    assert (done.stdout.split(), done.stderr) == ([str(USER), str(USER), "[]", "0000000000000000", "1", "EROFS"], "")


@OF_SPOKE
@IN_A_BOX
def test_the_spoke_tells_its_version_and_what_it_lacks(boxes: Boxes) -> None:
    box = boxes[SPOKE]
    told = box.run("--version")
    assert told.returncode == 0
    assert told.stdout.startswith("periplus-spoke 0.")
    lacking = box.run("check", "--kubeconfig", "/nowhere")
    assert lacking.returncode == 3
    assert "/nowhere" in lacking.stderr + lacking.stdout


@OF_HUB
@IN_A_BOX
def test_the_hub_for_stores_elsewhere_says_that_it_has_none(boxes: Boxes, tmp_path: Path) -> None:
    box = replace(boxes[HUB], volumes={"/var/lib/periplus": tmp_path})
    done = box.run("hub", "serve", "--data-dir", "/var/lib/periplus/data")
    assert done.returncode != 0
    assert "PERIPLUS_DATABASE_URL" in done.stdout + done.stderr


@OF_HUB
@IN_A_BOX
def test_the_hub_with_stores_of_its_own_becomes_ready(boxes: Boxes, tmp_path: Path) -> None:
    box = replace(boxes[HUB_EMBEDDED], volumes={"/var/lib/periplus": tmp_path})
    ports = ("--spokes-port", "0", "--api-port", "0", "--metrics-port", "0")
    arguments = ("hub", "serve", "--data-dir", "/var/lib/periplus/data", "--ready-file", "/var/lib/periplus/ready.json")
    log = tmp_path / "hub.log"
    with box.running(*arguments, *ports, log=log) as process:
        ready = wait_for(tmp_path / "ready.json", process, log)
        with urllib.request.urlopen(f"{ready['metrics_url']}/readyz") as answer:
            assert answer.status == 200
        owners = {path.stat().st_uid for path in tmp_path.rglob("*") if path != log}
        assert owners == {USER}
    assert process.returncode == 0, log.read_text()


def wait_for(path: Path, process: Popen[bytes], log: Path) -> dict[str, Any]:
    while not path.exists():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found
