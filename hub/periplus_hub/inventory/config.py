"""How much of a cluster's past is kept."""

from pydantic import BaseModel, ConfigDict, Field


class InventoryConfig(BaseModel):
    """Settings of what is known of clusters' contents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity_days: int = Field(
        default=35,
        ge=1,
        le=3_650,
        description="How long the hub keeps who had an address after it was given up, and which network domain the "
        "cluster was in at that time.",
    )
