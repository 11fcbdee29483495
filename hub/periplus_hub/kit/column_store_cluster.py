"""What the column store's statements say differently where it is a cluster of servers. Pure.

A step of the schema says before each table, in a line of comment of its own, where its rows lie then:

* `-- On a cluster: spread by EXPRESSION.` Each row is on one shard, and on all its replicas. The table is a Distributed
  one over what the servers have, which is called the same with `_local` behind.
* `-- On a cluster: whole on each server.` All servers are replicas of one table.
* `-- On a cluster: of each server alone.` One server makes something in it, and nobody else sees that.

All servers have the macros `shard` and `replica`, and the cluster has `internal_replication`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SETTINGS: Final[Mapping[str, Any]] = {
    "distributed_foreground_insert": 1,
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}
"""An insert is over when most replicas of the shard have it; who reads has all that is over, or is refused."""

_PLACE: Final = re.compile(
    r"-- On a cluster: (?:spread by (?P<key>.+)|(?P<whole>whole on each server)|of each server alone)\."
)
_CREATE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)(?: AS (?P<like>\w+)$)?")
_ENGINE: Final = re.compile(r"ENGINE = MergeTree\b")
_TOKENS: Final = re.compile(
    r"non_replicated_deduplication_window = \d+, fsync_after_insert = 1, fsync_part_directory = 1"
)
_TOKENS_OF_SHARD: Final = "replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800"
"""How many blocks a shard knows again, and for how long: for longer than one stays open."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One that the servers know by this name."""

    name: str

    @property
    def _on(self) -> str:
        return f"ON CLUSTER '{self.name}'"

    def database(self, name: str) -> str:
        """The statement that makes a database."""
        return f"CREATE DATABASE IF NOT EXISTS {name} {self._on}"

    def own_rows(self, table: str) -> str:
        """How a statement that deletes calls a table that is spread: each shard deletes of its own."""
        return f"{table}_local {self._on}"

    def everywhere(self, table: str) -> str:
        """What stands behind FROM to read a system table of all servers."""
        return f"clusterAllReplicas('{self.name}', {table})"

    def statements(self, step: str, database: str) -> list[str]:
        """Those of a step of the schema of this database, as they are on the cluster."""
        plain: dict[str, str] = {}
        found: list[str] = []
        for place, statement in _parts(step):
            created = _CREATE.match(statement)
            if created is None or place is None:
                raise ValueError(f"where it lies on a cluster is not said: {statement[:80]}")
            name, like = created["name"], created["like"]
            body = statement if like is None else plain[like].replace(f"EXISTS {like} ", f"EXISTS {name} ", 1)
            plain[name] = body
            found += self._made(place, name, body, database)
        return found

    def _made(self, place: re.Match[str], name: str, statement: str, database: str) -> Iterator[str]:
        head = f"CREATE TABLE IF NOT EXISTS {name} "
        definition = statement.removeprefix(head)
        if place["key"]:
            replicated = _replicated(definition, "{shard}/{database}/" + name, "{replica}")
            yield f"CREATE TABLE IF NOT EXISTS {name}_local {self._on} {replicated}"
            columns = _ENGINE.split(definition)[0]
            engine = f"Distributed('{self.name}', '{database}', '{name}_local', {place['key']})"
            yield f"{head}{self._on} {columns}ENGINE = {engine}"
        elif place["whole"]:
            yield f"{head}{self._on} {_replicated(definition, 'all/{database}/' + name, '{shard}-{replica}')}"
        else:
            yield f"{head}{self._on} {definition}"


def _replicated(definition: str, path: str, replica: str) -> str:
    engine = f"ENGINE = ReplicatedMergeTree('/clickhouse/tables/{path}', '{replica}')"
    return _TOKENS.sub(_TOKENS_OF_SHARD, _ENGINE.sub(lambda _: engine, definition))


def _parts(step: str) -> Iterator[tuple[re.Match[str] | None, str]]:
    """Each statement of a step, and where its rows lie."""
    place = None
    lines: list[str] = []
    for line in step.splitlines():
        if line.lstrip().startswith("--"):
            place = _PLACE.fullmatch(line.strip()) or place
            continue
        lines.append(line)
        if line.rstrip().endswith(";"):
            yield place, "\n".join(lines).strip().removesuffix(";")
            place, lines = None, []
