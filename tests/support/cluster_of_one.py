"""The flow store as a cluster of one server that is the engine of this process.

It knows Distributed tables and system tables of all servers. What needs Keeper or a second server it cannot do: ON
CLUSTER and Replicated tables become what they are on one.
"""

import re
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from periplus_hub.kit import column_store
from periplus_hub.kit.column_store_cluster import Cluster

NAME = "fleet"
_PORT = 9_000  # nobody listens: the engine takes a replica with its own port for itself
_SERVER = f"""<clickhouse>
  <tcp_port>{_PORT}</tcp_port>
  <remote_servers><{NAME}><shard><internal_replication>true</internal_replication>
    <replica><host>127.0.0.1</host><port>{_PORT}</port></replica></shard></{NAME}></remote_servers>
</clickhouse>
"""


def _of_one(statement: str) -> str:
    on_one = re.sub(
        r"ReplicatedMergeTree\('[^']*', '[^']*'\)", "MergeTree", statement.replace(f" ON CLUSTER '{NAME}'", "")
    )
    return on_one.replace("SETTINGS replicated", "SETTINGS non_replicated_deduplication_window = 100, replicated")


class _ClusterOfOne(Cluster):
    """What is said to a cluster, as one server without Keeper takes it."""

    def database(self, name: str) -> str:
        return _of_one(super().database(name))

    def own_rows(self, table: str) -> str:
        return _of_one(super().own_rows(table))

    def statements(self, step: str, database: str) -> list[str]:
        return [_of_one(each) for each in super().statements(step, database)]


def use_cluster_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """From now on stores are this cluster; returns its name."""
    server = folder / "server.xml"
    server.write_text(_SERVER)
    connect = clickhouse_connect.get_client

    def connected(**given: Any) -> Any:
        return connect(**{**given, "chdb_options": {**given["chdb_options"], "config-file": str(server)}})

    monkeypatch.setattr(clickhouse_connect, "get_client", connected)
    monkeypatch.setattr(column_store, "Cluster", _ClusterOfOne)
    return NAME
