"""Who is told of findings."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from periplus_hub.findings.model_receivers import Receiver
from periplus_hub.findings.receivers_file import read_receivers
from periplus_hub.kit.config import Settings
from periplus_hub.kit.http_out import Network, NetworkTexts, read_networks


class NotificationsConfig(Settings):
    """Settings of notifications."""

    receivers_file: Path | None = Field(
        default=None,
        description="TOML file of those who are told of findings: webhooks, Slack, Alertmanager, CloudEvents. It is "
        "read when the hub starts.",
    )
    receivers_networks: NetworkTexts = Field(
        default=(),
        description="Ranges of private addresses at which receivers may be, like 10.1.2.0/24; they may do without TLS. "
        "None by default: then the hub calls only public addresses, with https.",
    )

    @model_validator(mode="after")
    def _readable_receivers(self) -> Self:
        """At the start, and not when there is something to tell."""
        _ = self.receivers
        return self

    @cached_property
    def receivers(self) -> tuple[Receiver, ...]:
        """What the file says, for the life of the process."""
        return () if self.receivers_file is None else read_receivers(self.receivers_file)

    @property
    def open_networks(self) -> tuple[Network, ...]:
        """`receivers_networks`, read."""
        return read_networks(self.receivers_networks)
