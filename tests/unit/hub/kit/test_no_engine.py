"""A hub without the ClickHouse engine, as in an image for stores elsewhere."""

import sys

import pytest

from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.errors import Refusal


@pytest.fixture(autouse=True)
def _without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chdb", None)


def test_its_own_store_is_refused_at_the_start_and_not_with_the_first_flow() -> None:
    with pytest.raises(Refusal, match="not installed") as refused:
        ColumnStore("chdb:///var/lib/periplus/flows", memory_bytes=1)
    assert "PERIPLUS_FLOW_STORE_URL" in refused.value.remedy


def test_a_server_needs_none() -> None:
    assert not ColumnStore("clickhouse://flows.example.org:8123", memory_bytes=1).is_embedded
