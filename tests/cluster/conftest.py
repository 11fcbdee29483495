"""Fixtures of the cluster suite; its tests carry the marker `cluster`."""

from __future__ import annotations

from pathlib import Path

import pytest

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
