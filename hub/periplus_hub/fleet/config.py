"""What is remembered of the fleet."""

from pydantic import BaseModel, ConfigDict, Field


class FleetConfig(BaseModel):
    """Settings of the fleet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent_days: int = Field(
        default=7,
        ge=1,
        le=3_650,
        description="How long an agent of a node is remembered after it was last heard. One that comes back later "
        "joins anew.",
    )
