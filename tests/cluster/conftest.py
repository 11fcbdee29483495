"""Fixtures of the cluster suite; its tests carry the marker `cluster`."""

from __future__ import annotations

from pathlib import Path

import pytest

from requirements.images.build import build
from requirements.images.recipes import SPOKE
from tests.cluster.rig import fixtures

_HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Makes fixtures and marker known wherever the suite is run from."""
    config.addinivalue_line("markers", "cluster: needs a real control plane built from Go modules")
    fixtures.register(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks this folder's tests, before `-m` is looked at."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def spoke_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `make images` writes it, with the image of the spoke. The test needs "Debian packages of images"."""
    target = tmp_path_factory.mktemp("images")
    build((SPOKE,), target)
    return target
