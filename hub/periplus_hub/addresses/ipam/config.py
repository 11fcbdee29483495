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
