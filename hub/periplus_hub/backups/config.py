"""Backups that the hub takes by itself."""

from pathlib import Path

from pydantic import Field, field_validator

from periplus_hub.backups.model_schedule import Schedule, read_schedule
from periplus_hub.kit.config import Settings


class BackupsConfig(Settings):
    """Settings of scheduled backups."""

    backup_folder: Path | None = Field(
        default=None,
        description="Folder for backups that the hub takes by itself, on another disk than its data. It must be there. "
        "None by default: then the hub takes none.",
    )
    backup_schedule: str = Field(
        default="0 2 * * *",
        description="When a backup is due, in UTC: minute, hour, day of the month, month and weekday as cron has them, "
        "or @hourly, @daily, @weekly, @monthly. One that was missed is made up for when a hub leads again.",
    )
    backup_keep: int = Field(
        default=7,
        ge=1,
        le=1_000,
        description="How many scheduled backups are kept. Older ones are removed once a new one is whole.",
    )
    backup_flows: bool = Field(
        default=True,
        description="Whether scheduled backups hold flows. A server of the flow store needs flow_store_backup "
        "for that. A cluster of servers is backed up by its own means: set this to false.",
    )

    @field_validator("backup_schedule")
    @classmethod
    def _readable_schedule(cls, text: str) -> str:
        read_schedule(text)
        return text

    @property
    def backups_due(self) -> Schedule:
        """`backup_schedule`, read."""
        return read_schedule(self.backup_schedule)
