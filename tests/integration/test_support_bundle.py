"""A support bundle of a hub with something of everything holds what helps, and none of what must not leave."""

import tarfile
from pathlib import Path

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.api.support.bundle import pack
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal

from tests.support.clickhouse_http import port
from tests.support.graphql_hub import seed
from tests.support.hub_process import config_for

SECRET = "CANARY-secret"
LOG = """{"level": "error", "error": "login of postgresql://periplus:CANARY-secret@db.acme.example/periplus failed"}
{"message": "Bearer ppt_CANARY00_CANARY-secret of name-0 from 10.77.66.55 and fd77::66"}
"""


def read(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        files = [(each.name, archive.extractfile(each)) for each in archive]
        return {name.partition("/")[2]: file.read().decode() for name, file in files if file is not None}


@pytest.mark.promise("secrets-never-leave")
async def test_no_canary_leaves_and_what_is_in_it_is_listed(
    db: Database, database_url: str, tenant: Scope, tmp_path: Path
) -> None:
    await seed(db, tenant)
    log, bundle = tmp_path / "hub.log", tmp_path / "bundle.tar.gz"
    log.write_text(LOG)
    with port() as free:
        nowhere = free.getsockname()[1]
    config = config_for(
        database_url,
        tmp_path,
        metrics_port=nowhere,
        flow_store_url=f"http://user:{SECRET}@ch.acme.example:8123",
        flow_store_backup=f"S3('https://s3.acme.example/{{name}}', 'key', '{SECRET}')",
    )
    names = await pack(config, bundle, log, keep_addresses=False)
    found = read(bundle)
    assert sorted(found) == names
    assert set(names) == {*map(line_name, found["contents.txt"].splitlines()[2:]), "contents.txt"}
    assert bundle.stat().st_mode & 0o777 == 0o600
    together = "\n".join(found.values())
    for canary in ("CANARY", "name-0", "acme", "10.77.66.55", "fd77::66"):
        assert canary not in together
    assert '"set"' in found["settings.json"]
    assert '"registrations"' in found["database.json"]
    assert '"liveness"' in found["fleet.json"]
    assert "unknown" in found["metrics.txt"]
    with pytest.raises(Refusal, match="File exists"):
        await pack(config, bundle, log, keep_addresses=False)


def line_name(line: str) -> str:
    return line.partition(":")[0]
