"""Where a test keeps flows: in an engine of this process, and again in a server, so that both run each statement."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clickhouse_http import server
from tests.support.flow_hub import folder_url


@pytest.fixture(params=["engine", "server"])
def flow_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Its URL."""
    if request.param == "engine":
        yield folder_url(tmp_path / "flows")
        return
    with server(tmp_path / "served") as running:
        yield running.url
