"""How much the register of addresses takes."""

from pydantic import BaseModel, ConfigDict, Field


class IpamConfig(BaseModel):
    """Settings of what clusters may report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_ranges_of_a_kind: int = Field(
        default=300_000,
        ge=1,
        le=1_000_000,
        description="How many address ranges of one kind (pod, service, node, ...) the hub takes from one cluster. "
        "If there are more, those with the highest addresses are set aside as `too_many_ranges`, and the cluster is "
        "incomplete. The default is two addresses for each of the 150,000 pods that Kubernetes supports.",
    )
    pool_history_days: int = Field(
        default=14,
        ge=8,
        le=365,
        description="How long the hub keeps what pools had free, one sample an hour for each of at most 200 pools of a "
        "cluster. Pools of nodes have none. How fast a pool fills is told from the last seven days.",
    )
