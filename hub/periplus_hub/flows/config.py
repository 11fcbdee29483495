"""Where flows are kept, and for how long."""

from pydantic import Field, SecretStr, field_validator

from periplus_hub.kit.config import Settings

_SCHEMES = ("chdb:///", "clickhouse://", "clickhouses://", "http://", "https://")


class FlowsConfig(Settings):
    """Settings of the flow store."""

    flow_store_url: SecretStr | None = Field(
        default=None,
        description="Where flows are kept. Default: chdb:/// with the folder flows in data_dir, an engine in the hub's "
        "own process. clickhouse://user:password@host:8123 (or clickhouses:// with TLS) is a server of yours, where "
        "the role may create databases.",
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
        default=395, ge=2, le=3_650, description="How long edges are kept for each hour. At least flow_raw_days."
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
