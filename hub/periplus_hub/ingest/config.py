"""How the door behaves."""

from pydantic import BaseModel, ConfigDict, Field


class IngestConfig(BaseModel):
    """Settings of the intake of batches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settle_after_s: int = Field(
        default=120,
        ge=0,
        le=86_400,
        description="Without a synchronous standby that the hub's role can see (pg_monitor) a batch counts as settled "
        "this long after it came: the time an asynchronous standby or a backup needs to have it. 0 when there is "
        "neither, as in `periplus try`.",
    )
    max_in_flight_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=32 * 1024 * 1024,
        description="Memory for all batches being worked on: half of it as they come, half for what is in them. "
        "Beyond it batches wait for their turn, and after ten seconds are asked to come back.",
    )
    max_in_flight_per_spoke: int = Field(
        default=2, ge=1, le=16, description="Batches one registration may have in flight."
    )
    decode_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that inflate, read and check batches; small ones have one more."
    )
    quarantine_rows: int = Field(
        default=200, ge=1, le=10_000, description="Quarantine entries kept per registration; the oldest go first."
    )
    ledger_days: int = Field(
        default=35,
        ge=1,
        le=3_650,
        description="How long the ledger of received batches, their accounting and resolved findings are kept. "
        "Everything of a revoked cluster goes after the longer of this and identity_days.",
    )
