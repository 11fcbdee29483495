"""Backups that a hub takes by itself: when one is due, how many stay, and what is seen when none is taken."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import State
from periplus_hub.api.doctor.machine import backups
from periplus_hub.backups import jobs
from periplus_hub.backups.config import BackupsConfig
from periplus_hub.backups.jobs import RETRY_S, BackupJob
from periplus_hub.backups.kept import name_at
from periplus_hub.backups.model import DUMP, MANIFEST, SUMS
from periplus_hub.backups.service_backup import Source, take
from periplus_hub.backups.sums import verified
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.metrics import exposition

from tests.support.clock import FakeClock
from tests.support.flow_hub import FlowHub, flow_hub
from tests.support.hub_db import as_owner

NIGHT = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)


@dataclass
class Nights:
    """A hub that takes a backup every night at two and keeps two, and its folder."""

    job: BackupJob
    clock: FakeClock
    folder: Path

    async def at(self, moment: datetime) -> list[str]:
        """The job has its turn then; what is there after it."""
        self.clock.step((moment - self.clock.now()).total_seconds())
        await self.job.run(moment)
        return self.there()

    def there(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        opened.store.claim()
        yield opened


@pytest.fixture
async def nights(hub: FlowHub, database_url: str, clock: FakeClock, tmp_path: Path) -> Nights:
    folder = tmp_path / "backups"
    folder.mkdir()
    source = Source(hub.db, as_owner(database_url), hub.store, None, "1.0")
    config = BackupsConfig(backup_folder=folder, backup_schedule="0 2 * * *", backup_keep=2)
    return Nights(BackupJob(source, folder, config), clock, folder)


def shown() -> dict[str, float]:
    """The metrics of backups, by their names."""
    families = text_string_to_metric_families(exposition().decode())
    return {
        "_".join((sample.name, *sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("periplus_backup")
    }


async def test_one_each_night_and_the_oldest_goes_when_the_new_one_is_whole(nights: Nights) -> None:
    first = NIGHT - timedelta(hours=5)
    assert await nights.at(first) == [name_at(first)], "a hub that has none takes one"
    assert await nights.at(NIGHT - timedelta(minutes=5)) == [name_at(first)]
    assert await nights.at(NIGHT + timedelta(minutes=3)) == [name_at(first), name_at(NIGHT + timedelta(minutes=3))]
    tomorrow = NIGHT + timedelta(days=1)
    assert await nights.at(tomorrow) == [name_at(NIGHT + timedelta(minutes=3)), name_at(tomorrow)]
    verified(nights.folder / name_at(tomorrow))
    metrics = shown()
    assert metrics["periplus_backup_newest_timestamp_seconds"] == tomorrow.timestamp()
    assert metrics["periplus_backup_due_timestamp_seconds"] == tomorrow.timestamp()
    assert metrics["periplus_backups"] == 2


async def test_missed_nights_are_made_up_for_once(nights: Nights) -> None:
    await nights.at(NIGHT)
    later = NIGHT + timedelta(days=9, hours=7)
    assert await nights.at(later) == [name_at(NIGHT), name_at(later)]
    assert await nights.at(later + timedelta(hours=1)) == [name_at(NIGHT), name_at(later)]


async def test_one_that_fails_leaves_the_others_and_is_tried_again(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    await nights.at(NIGHT - timedelta(days=1))
    await nights.at(NIGHT)
    kept = nights.there()
    failed = shown()["periplus_backups_taken_total_failed"]

    async def full(*_: object) -> None:
        raise Refusal("the disk has too little room", "Free some space there.")

    with monkeypatch.context() as broken:
        broken.setattr(jobs, "take", full)
        tomorrow = NIGHT + timedelta(days=1)
        assert await nights.at(tomorrow) == kept
        assert await nights.at(tomorrow + timedelta(minutes=5)) == kept
    metrics = shown()
    assert metrics["periplus_backups_taken_total_failed"] == failed + 1, "a dump is not tried at every turn"
    assert metrics["periplus_backup_newest_timestamp_seconds"] == NIGHT.timestamp()
    assert metrics["periplus_backup_due_timestamp_seconds"] == tomorrow.timestamp()
    nights.clock.advance(RETRY_S)
    again = tomorrow + timedelta(minutes=20)
    assert await nights.at(again) == [name_at(NIGHT), name_at(again)]


async def test_one_that_the_disk_does_not_keep_counts_for_nothing(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    await nights.at(NIGHT - timedelta(days=1))
    await nights.at(NIGHT)

    async def damaged(source: Source, target: Path) -> object:
        taken = await take(source, target)
        (target / DUMP).write_bytes(b"not what was written")
        return taken

    monkeypatch.setattr(jobs, "take", damaged)
    kept = nights.there()
    assert await nights.at(NIGHT + timedelta(days=1)) == kept


async def test_what_is_not_its_own_or_not_whole_is_never_removed_and_never_counted(nights: Nights) -> None:
    await nights.at(NIGHT - timedelta(days=30))
    mine, *_ = nights.there()
    others = nights.folder / name_at(NIGHT - timedelta(days=20))
    shutil.copytree(nights.folder / mine, others)
    manifest = json.loads((others / MANIFEST).read_text())
    (others / MANIFEST).write_text(json.dumps(manifest | {"hubId": "another"}))
    torn = nights.folder / name_at(NIGHT - timedelta(days=10))
    shutil.copytree(nights.folder / mine, torn)
    (torn / SUMS).unlink()
    (nights.folder / "by-hand").mkdir()
    for day in range(3):
        await nights.at(NIGHT + timedelta(days=day))
    assert nights.there() == sorted(
        ["by-hand", others.name, torn.name, *(name_at(NIGHT + timedelta(days=day)) for day in (1, 2))]
    )


async def test_what_a_killed_hub_left_half_written_is_cleared_away(nights: Nights) -> None:
    written, leaving = (nights.folder / f".{name_at(NIGHT)}.part", nights.folder / f"{name_at(NIGHT)}.removed")
    for left in (written, leaving):
        left.mkdir()
        (left / DUMP).write_bytes(b"half")
    later = NIGHT + timedelta(days=1)
    assert await nights.at(later) == [name_at(later)]


async def test_a_folder_that_is_gone_is_seen_and_made_by_nobody(nights: Nights) -> None:
    nights.folder.rmdir()
    before = shown().get("periplus_backups_taken_total_failed", 0)
    nights.clock.step((NIGHT - nights.clock.now()).total_seconds())
    await nights.job.run(NIGHT)
    metrics = shown()
    assert metrics["periplus_backups_taken_total_failed"] == before + 1
    assert not nights.folder.exists()
    assert "periplus_backup_newest_timestamp_seconds" not in metrics
    assert "periplus_backup_due_timestamp_seconds" in metrics


async def test_the_doctor_knows_how_old_the_newest_is(nights: Nights, tmp_path: Path) -> None:
    config = HubConfig(data_dir=tmp_path / "data", backup_folder=nights.folder)
    assert backups(HubConfig(data_dir=tmp_path), NIGHT).state is State.OK
    assert backups(config, NIGHT).state is State.FAILED, "there is none"
    await nights.at(NIGHT)
    next_night = NIGHT + timedelta(days=1)
    found = [backups(config, next_night + timedelta(hours=hours)) for hours in (-1, 1, 3)]
    assert [each.state for each in found] == [State.OK, State.OK, State.FAILED]
    assert "1 in" in found[2].found
    assert "one was due at 2026-03-05 02:00 UTC" in found[2].found
    another = nights.folder / "periplus-20260306T020000Z"
    shutil.copytree(nights.folder / nights.there()[0], another)
    manifest = json.loads((another / MANIFEST).read_text())
    (another / MANIFEST).write_text(json.dumps(manifest | {"hubId": "another"}))
    shared = backups(config, next_night + timedelta(hours=1))
    assert (shared.state, "several hubs" in shared.found) == (State.UNKNOWN, True), "whose the newest is decides"
    away = backups(config.model_copy(update={"backup_folder": tmp_path / "away"}), NIGHT)
    assert (away.state, bool(away.remedy)) == (State.UNKNOWN, True)


def test_a_folder_that_would_be_lost_with_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would be lost with it"):
        HubConfig(data_dir=tmp_path, backup_folder=tmp_path / "backups")
    with pytest.raises(ValueError, match="'25' is not within 0 to 23"):
        HubConfig(backup_schedule="0 25 * * *")
