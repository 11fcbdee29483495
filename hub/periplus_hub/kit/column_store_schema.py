"""The schema of a tenant's database in the column store, and how it comes up to date.

The steps are the files of `migrations/flowstore`, in the order of their numbers. Each is applied once and says so in
`schema_steps`. What a step does it must be able to do twice: a process may die between the two.
"""

import re
from typing import Any, Final

import structlog

from periplus_hub.kit.column_store_cluster import Cluster
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.migrate import migrations_folder

_FILE: Final = re.compile(r"(\d{4})_\w+\.sql")
_STEPS: Final = """
-- On a cluster: whole on each server.
CREATE TABLE IF NOT EXISTS schema_steps (step UInt32, applied DateTime('UTC') DEFAULT now())
ENGINE = MergeTree ORDER BY step;
"""
_APPLIED: Final = "SELECT max(step) FROM schema_steps"

_log: Final = structlog.get_logger(__name__)


def known_steps() -> dict[int, str]:
    """The statements of each step this hub brings."""
    found = sorted((migrations_folder() / "flowstore").glob("*.sql"))
    return {int(match[1]): path.read_text() for path in found if (match := _FILE.fullmatch(path.name))}


def bring_up_to_date(client: Any, database: str, cluster: Cluster | None) -> None:  # noqa: ANN401 - not typed
    """Apply what is missing, on all servers of a cluster; raises Refusal when a newer hub was there."""

    def written(step: str) -> list[str]:
        return statements(step) if cluster is None else cluster.statements(step, database)

    for statement in written(_STEPS):
        client.command(statement)
    applied = int(client.command(_APPLIED) or 0)
    steps = known_steps()
    if applied > max(steps):
        raise Refusal(
            f"the flow store's schema is {applied}, and this hub knows schemas up to {max(steps)}",
            "Start a hub of the version that made it, or give this one another flow store.",
            slug="new-flow-schema",
        )
    for number in range(applied + 1, max(steps) + 1):
        for statement in written(steps[number]):
            client.command(statement)
        client.command("INSERT INTO schema_steps (step) VALUES ({step:UInt32})", parameters={"step": number})
        _log.info("flow_store_migrated", step=number)


def statements(text: str) -> list[str]:
    """The statements of a file: each ends with a semicolon at the end of a line; lines of comment are left out."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [each.strip() for each in re.split(r";[ \t]*(?:\n|$)", code) if each.strip()]
