"""Hubble Relay over the network, as it is configured."""

import random
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final, Self
from urllib.parse import urlsplit

from periplus_spoke.collectors.hubble import HubbleCollector, HubbleSettings
from periplus_spoke.conversion.hubble.messages import GET_FLOWS, SERVER_STATUS
from periplus_spoke.grpc.address import Address, Tls
from periplus_spoke.grpc.channel import Call, Channel
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig

_NAME: Final = "hubble"
_PORT: Final = 80
_TLS_PORT: Final = 443
_COUNTING: Final = frozenset(("conntrack", "istio"))
"""Sources that count connections, too."""


class GrpcRelay:
    """One connection; made with `open`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._call: Call | None = None

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Connect. Raises OSError."""
        return cls(await Channel.open(address))

    async def follow(self, request: bytes) -> AsyncIterator[bytes]:
        """The answers to `GetFlows`, until it ends. Raises CallFailed."""
        call = self._call = self._channel.call(GET_FLOWS, request)
        try:
            async for message in call.messages():
                yield message
        finally:
            call.cancel()

    async def status(self) -> bytes:
        """The answer to `ServerStatus`. Raises CallFailed."""
        return await self._channel.unary(SERVER_STATUS, b"")

    def take_passed_over(self) -> int:
        """How many answers were too large to be read, since it was last asked."""
        return 0 if self._call is None else self._call.take_passed_over()

    async def close(self) -> None:
        """End it."""
        await self._channel.close()


def hubble_flows(
    config: SpokeConfig, timer: Timer, rng: random.Random, tell: Callable[[str, str], None]
) -> HubbleCollector | None:
    """None where no relay is configured, or Hubble may not be read."""
    if not config.hubble_relay or (config.flow_sources and _NAME not in config.flow_sources):
        return None
    counts = not _COUNTING & set(config.flow_sources) if config.flow_sources else not config.prometheus_urls
    settings = HubbleSettings(row_budget=config.flow_row_budget, counts_connections=counts)
    return HubbleCollector(partial(GrpcRelay.open, relay_address(config)), settings, timer, rng=rng, tell=tell)


def relay_address(config: SpokeConfig) -> Address:
    """Where the relay is, and how it is known to be it."""
    parts = urlsplit(config.hubble_relay)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return Address(host, parts.port or _PORT)
    tls = Tls(config.hubble_ca, config.hubble_server_name, config.hubble_certificate, config.hubble_key)
    return Address(host, parts.port or _TLS_PORT, tls)
