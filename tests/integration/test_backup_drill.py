"""A backup is taken of a hub while batches come in, put into another folder, and a hub goes on there."""

import asyncio
import json
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from sqlalchemy import func, select

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.backups.model import DUMP, MANIFEST, SUMS
from periplus_hub.backups.sums import seal, write_sums
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.flows.service_sweep import AGAIN_S
from periplus_hub.ingest.tables import batches
from periplus_hub.inventory.tables import pods
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.backups import PATIENCE_S, Pouring, database_of, document, periplus, pouring, running_hub
from tests.support.clock import FakeClock
from tests.support.embedded import until
from tests.support.flow_hub import flow_hub

ROWS = "SELECT sum(bytes_tx) AS tx, count() AS n FROM flows"
EDGES = "SELECT sum(bytes_tx) AS tx FROM edges_hourly"


@pytest.mark.promise("backups-are-consistent")
async def test_a_hub_restored_from_a_backup_under_load_lacks_nothing_settled_and_doubles_nothing(
    open_folder: Path,
) -> None:
    first, second, copy = (open_folder / name for name in ("first", "second", "copy"))
    async with running_hub(first, SETTLE_AFTER_S="0") as (url, _), pouring(first, url) as poured:
        await poured.pour(20)
        while not any((first / "flows" / "store").glob("*/*/*_*_*_*/data.bin")):  # until the hub has loaded some
            await poured.pour(1)
        settled, before = poured.settled_through, len(poured.answered)
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(poured.pour_until(ended))
            taken = await periplus("backup", str(copy), "--data-dir", str(first), "--json")
            ended.set()
        assert document(taken)["flows"] == "files"
        assert (settled > 0, len(poured.answered) > before) == (True, True)
        await poured.pour(3)
    assert (await periplus("backup", "--verify", str(copy))).code == 0
    assert modes(copy) == {0o700, 0o600}
    restored = await periplus("restore", str(copy), "--data-dir", str(second))
    assert restored.code == 0, restored.err
    async with running_hub(second) as (url, process), database_of(second) as (db, scope):
        assert await known(db, scope) >= set(range(1, settled + 1)), "what was settled is there"
        await sends_again(poured, url, settled)
        assert await known(db, scope) == set(range(1, len(poured.sealed) + 1))
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    await all_is_there_once(second, poured)


@pytest.mark.promise("backups-are-consistent")
async def test_a_backup_that_a_hub_took_by_itself_restores_to_what_was_settled(open_folder: Path) -> None:
    first, second, kept = (open_folder / name for name in ("by-itself", "by-itself-restored", "kept"))
    kept.mkdir()
    async with running_hub(first, SETTLE_AFTER_S="0") as (url, process), pouring(first, url) as poured:
        await poured.pour(20)
        settled = poured.settled_through
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    async with running_hub(first, SETTLE_AFTER_S="0", BACKUP_FOLDER=str(kept)):
        await until(lambda: any(kept.glob("periplus-*Z")), within_s=PATIENCE_S)
    (copy,) = kept.glob("periplus-*Z")
    assert (await periplus("backup", "--verify", str(copy))).code == 0
    restored = await periplus("restore", str(copy), "--data-dir", str(second))
    assert restored.code == 0, restored.err
    async with running_hub(second), database_of(second) as (db, scope):
        assert settled > 0
        assert await known(db, scope) == set(range(1, len(poured.sealed) + 1))


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


async def known(db: Database, scope: Scope) -> set[int]:
    """The numbers of the batches in the ledger."""
    async with db.read(scope) as c:
        return {row.seq for row in await c.rows(select(batches.c.seq))}


async def sends_again(poured: Pouring, url: str, settled: int) -> None:
    """As a spoke does: what it was not told to delete, the oldest first, and then what comes."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        poured.member.door.http = http
        await poured.member.renew()
        held = poured.sealed[settled:]
        answers = [(await poured.member.send(each)).result for each in held]
        assert {"accepted", "duplicate"} >= set(answers)
        assert "accepted" in answers, "the last three came after the backup"
        await poured.pour(2)


async def all_is_there_once(folder: Path, poured: Pouring) -> None:
    """In the stores as the hub left them, once its jobs have done what is left to do."""
    postgres = EmbeddedPostgres(folder)
    await postgres.start()
    clock = FakeClock(SystemClock().now())
    db = Database(postgres.urls.hub, clock)
    try:
        scope = system_scope(await ensure_default_tenant(db), "test:backup")
        async with db.read(scope) as c:
            assert await c.scalar(select(func.count()).where(pods.c.valid_to.is_(None))) == len(poured.sealed[::2])
        async with flow_hub(db, folder / "flows") as hub:
            await hub.settle()
            clock.advance(timedelta(seconds=AGAIN_S + 1).total_seconds())
            await hub.settle()
            assert await hub.rows(scope, ROWS) == [{"tx": poured.flows, "n": poured.flows}]
            assert await hub.rows(scope, EDGES) == [{"tx": poured.flows}]
    finally:
        await db.dispose()
        await postgres.stop()


class Case(NamedTuple):
    """What somebody tries with the backup, and what is said."""

    words: tuple[str, ...]
    said: str


async def test_what_cannot_be_restored_is_said_before_anything_is_changed(open_folder: Path) -> None:
    hub, copy, used, new = (open_folder / name for name in ("tried", "tried-copy", "used", "new"))
    nobody = await periplus("backup", str(copy), "--data-dir", str(hub))
    assert (nobody.code, "there is no hub in the data folder" in nobody.err, exists(hub)) == (1, True, False)
    async with running_hub(hub):
        assert (await periplus("backup", str(copy), "--data-dir", str(hub))).code == 0
    used.mkdir()
    (used / "somebody-elses").touch()
    larger, newer, flipped = (altered(copy, name) for name in ("larger", "newer", "flipped"))
    cases = [
        Case(("restore", str(copy), "--data-dir", str(used)), "is not empty: it holds 'somebody-elses'"),
        Case(("restore", str(copy), "--data-dir", str(hub)), "is not empty"),
        Case(("restore", str(larger), "--data-dir", str(new)), "MB are needed"),
        Case(("restore", str(newer), "--data-dir", str(new)), "schema is expand_9999"),
        Case(("restore", str(flipped), "--data-dir", str(new)), "postgresql.dump is not what was written"),
        Case(("restore", str(open_folder), "--data-dir", str(new)), "it has no SHA256SUMS"),
        Case(("backup", str(copy), "--data-dir", str(hub)), "is there already"),
        Case(("backup", str(open_folder / "no" / "where"), "--data-dir", str(hub)), "there is no folder"),
    ]
    for case in cases:
        ended = await periplus(*case.words)
        assert (ended.code, case.said in ended.err, "remedy" in ended.err) == (1, True, True), (case, ended)
        assert not exists(new)
    assert names_in(used) == ["somebody-elses"]
    assert (await periplus("restore", str(copy), "--data-dir", str(new))).code == 0, "without a hub, and without flows"


def altered(copy: Path, how: str) -> Path:
    """The backup with one thing otherwise, and all sums right but for what was flipped."""
    folder = copy.with_name(f"{copy.name}-{how}")
    shutil.copytree(copy, folder)
    if how == "flipped":
        with (folder / DUMP).open("r+b") as file:
            file.seek(1_000)
            byte = file.read(1)
            file.seek(1_000)
            file.write(bytes([byte[0] ^ 1]))
        return folder
    document = json.loads((folder / MANIFEST).read_text())
    document |= {"databaseBytes": 10**18} if how == "larger" else {"schema": "expand_9999"}
    (folder / MANIFEST).write_text(json.dumps(document))
    (folder / SUMS).unlink()
    write_sums(folder, seal(folder))
    return folder


def exists(path: Path) -> bool:
    return path.exists()


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())
