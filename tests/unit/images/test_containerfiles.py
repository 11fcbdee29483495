"""That an image built by an engine would start as one that `make images` builds."""

import re
from pathlib import Path

import pytest

from requirements.images.build import Source, configuration
from requirements.images.recipes import HERE, IMAGES, ROOT, Image


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_a_containerfile_says_what_the_recipe_says(image: Image) -> None:
    text = (HERE / f"{image.name}.Containerfile").read_text()
    told = configuration(image, Source("0", "0", 0))["config"]
    last = text.rpartition("\nFROM ")[2].replace("\\\n", " ")
    assert f"USER {told['User']}\n" in last
    assert re.search(rf'ENTRYPOINT \["\S+/{image.program}"\]\n$', last)
    assert [variable for variable in told["Env"] if variable not in last and not variable.startswith("PATH=")] == []
    assert [folder for folder in image.folders if f"chown 65532:65532 /{folder} " not in last] == []


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_a_containerfile_installs_the_locks_and_nothing_else(image: Image) -> None:
    text = (HERE / f"{image.name}.Containerfile").read_text().replace("\\\n", " ")
    locks = {layer.lock for layer in image.layers if layer.lock}
    assert set(re.findall(r"--require-hashes --requirement /src/requirements/(\S+)", text)) == locks | {"hatchling.txt"}
    installs = re.findall(r"pip install (.*?)(?:&&|$)", text, re.MULTILINE)
    assert [each for each in installs if "--require-hashes" not in each and "--no-index" not in each] == []
    gone = {name for layer in image.layers for name in layer.without}
    assert [name for name in gone if not re.search(rf"uninstall --yes [^&]*{name}", text)] == []


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_everything_that_a_containerfile_copies_is_in_the_checkout(image: Image) -> None:
    text = (HERE / f"{image.name}.Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for name in line.split()[:-1]]
    assert {Path(name).name for layer in image.layers for name in (*layer.own, layer.lock) if name} <= {
        Path(name).name for name in copied
    }
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_every_containerfile_is_of_an_image() -> None:
    assert {path.stem for path in HERE.glob("*.Containerfile")} == {image.name for image in IMAGES}
