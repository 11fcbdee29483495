"""Where flows are kept, and for how long."""

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from periplus_hub.kit.config import Settings

_EMBEDDED = "chdb:///"
_PLACE = re.compile(r"(Disk|S3|AzureBlobStorage)\([^()]*\{name\}[^()]*\)")
_SCHEMES = (_EMBEDDED, "clickhouse://", "clickhouses://", "http://", "https://")


class FlowsConfig(Settings):
    """Settings of the flow store."""

    flow_store_url: SecretStr | None = Field(
        default=None,
        description="Where flows are kept. Default: chdb:/// with the folder flows in data_dir, an engine in the hub's "
        "own process. clickhouse://user:password@host:8123 (or clickhouses:// with TLS) is a server of yours, where "
        "the role may create databases.",
    )
    flow_store_cluster: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$",
        description="The name by which servers of the flow store know their cluster. With it, tables are made on all "
        "of them (ON CLUSTER), Replicated and Distributed; flow_store_url leads to one of them.",
    )
    flow_store_backup: SecretStr | None = Field(
        default=None,
        description="Where a server of the flow store puts its part of a backup, in the words of its BACKUP: "
        "Disk('backups', '{name}') or S3(…). {name} becomes the name of the backup and of a tenant's database. Only "
        "backups and `periplus restore` use it.",
    )
    flow_store_memory_bytes: int = Field(
        default=2 * 1024**3,
        ge=512 * 1024**2,
        description="Largest memory of the engine in the hub's process. A statement that needs more fails.",
    )
    flow_raw_days: int = Field(
        default=7, ge=1, le=365, description="How long the rows that spokes sent are kept. Whole UTC days are deleted."
    )
    flow_hourly_days: int = Field(
        default=395,
        ge=2,
        le=3_650,
        description="How long edges are kept for each hour, in whole UTC days. At least flow_raw_days.",
    )
    flow_daily_days: int = Field(
        default=1_826,
        ge=2,
        le=3_650,
        description="How long edges are kept for each UTC day. At least flow_hourly_days.",
    )
    flow_inbox_bytes: int = Field(
        default=2 * 1024**3,
        ge=16 * 1024**2,
        description="Largest size of the flows that wait in PostgreSQL for the flow store. When it is reached, spokes "
        "are told to wait.",
    )

    @field_validator("flow_store_url")
    @classmethod
    def _known_store(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(_SCHEMES):
            raise ValueError("it must start with chdb:/// or clickhouse://")
        return url

    @field_validator("flow_store_backup")
    @classmethod
    def _place_with_a_name(cls, place: SecretStr | None) -> SecretStr | None:
        if place is not None and not _PLACE.fullmatch(place.get_secret_value()):
            raise ValueError("it must be like Disk('backups', '{name}') or S3('https://…/{name}', …)")
        return place

    @property
    def flow_backup_place(self) -> str | None:
        """The same as a text."""
        return None if self.flow_store_backup is None else self.flow_store_backup.get_secret_value()

    @model_validator(mode="after")
    def _cluster_of_servers(self) -> Self:
        url = self.flow_store_url
        if self.flow_store_cluster is not None and (url is None or url.get_secret_value().startswith(_EMBEDDED)):
            raise ValueError("flow_store_cluster is for servers of yours: set flow_store_url to one of them")
        return self

    @model_validator(mode="after")
    def _coarse_for_longer(self) -> Self:
        if not self.flow_raw_days <= self.flow_hourly_days <= self.flow_daily_days:
            raise ValueError(
                f"flow_raw_days ({self.flow_raw_days}) may not be more than flow_hourly_days "
                f"({self.flow_hourly_days}), nor that more than flow_daily_days ({self.flow_daily_days})"
            )
        return self
