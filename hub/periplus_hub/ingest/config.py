"""How the door behaves."""

from pydantic import BaseModel, ConfigDict, Field


class IngestConfig(BaseModel):
    """Settings of the intake of batches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settle_after_s: int = Field(
        default=120,
        ge=0,
        le=86_400,
        description="How long after its arrival a batch counts as settled if there is no synchronous standby, or the "
        "hub's role cannot see it (pg_monitor). Set it to the time after which an asynchronous standby or a backup has "
        "the batch. 0 if there is neither, as in `periplus try`.",
    )
    max_in_flight_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=32 * 1024 * 1024,
        description="Memory for all batches in progress: half for batches as they arrive, half for their decoded rows. "
        "When it is used up, batches wait for their turn; after ten seconds the hub tells the spoke to try again.",
    )
    max_in_flight_per_spoke: int = Field(
        default=2, ge=1, le=16, description="How many batches of one cluster may be in progress at once."
    )
    decode_threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Threads that decompress and check batches. One more is only for small batches.",
    )
    quarantine_rows: int = Field(
        default=200, ge=1, le=10_000, description="Quarantine entries kept per cluster; the oldest are deleted first."
    )
    ledger_days: int = Field(
        default=35,
        ge=1,
        le=3_650,
        description="How long the ledger of received batches, their accounting and resolved findings are kept. "
        "Everything of a revoked cluster is deleted after the longer of this and identity_days.",
    )
