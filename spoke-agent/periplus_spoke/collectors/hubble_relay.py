"""Hubble Relay over the network, as it is configured."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Self
from urllib.parse import urlsplit

from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.hubble import HubbleCollector, HubbleSettings, NoRelay
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource, chosen
from periplus_spoke.conversion.hubble.messages import GET_FLOWS, GET_NODES
from periplus_spoke.grpc.address import Address, Tls
from periplus_spoke.grpc.channel import Call, Channel
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig

_NAME: Final = "hubble"
AUTO: Final = "auto"
"""Instead of an address: the relay that the API server shows."""
_PORT: Final = 80
_TLS_PORT: Final = 443
_AGENTS: Final = "conntrack"


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

    async def answers(self) -> None:
        """Return once it says anything, for itself. Raises CallFailed."""
        await self._channel.answers()

    async def nodes(self) -> bytes:
        """The answer to `GetNodes`. Raises CallFailed."""
        return await self._channel.unary(GET_NODES, b"")

    def take_passed_over(self) -> int:
        """How many answers were too large to be read, since it was last asked."""
        return 0 if self._call is None else self._call.take_passed_over()

    async def close(self) -> None:
        """End it."""
        await self._channel.close()


def hubble_flows(
    config: SpokeConfig, cluster: ClusterReader, timer: Timer, rng: random.Random, tell: Callable[[str, str], None]
) -> HubbleCollector | None:
    """None where no relay is configured, or Hubble may not be read."""
    if not _may_be_read(config):
        return None
    inventory = cluster.inventory
    settings = HubbleSettings(config.flow_row_budget, lambda: counts_connections(config, inventory.flow_sources()))

    async def open_relay() -> GrpcRelay:
        source = chosen(inventory.flow_sources(), _NAME) if config.hubble_relay == AUTO else None
        address = relay_address(config, source)
        if address is None:
            raise NoRelay
        return await GrpcRelay.open(address)

    return HubbleCollector(open_relay, settings, timer, rng=rng, tell=tell)


def counts_connections(config: SpokeConfig, sources: Sequence[Chosen]) -> bool:
    """Whether a window's connections are those that Hubble tells: of a whole cluster, and so before a mesh's metrics.

    Agents of nodes send whether they are chosen or not; they see nothing where packets take another way.
    """
    if not is_read(config, sources):
        return False
    if config.flow_sources:
        return _AGENTS not in config.flow_sources
    agents = (each.source for each in sources if each.source.kind == _AGENTS)
    return not any(each.state == "unknown" or (each.state == "found" and not each.missing) for each in agents)


def is_read(config: SpokeConfig, sources: Sequence[Chosen]) -> bool:
    """Whether there is a relay that the agent follows."""
    return _may_be_read(config) and (config.hubble_relay != AUTO or chosen(sources, _NAME) is not None)


def _may_be_read(config: SpokeConfig) -> bool:
    return bool(config.hubble_relay) and (not config.flow_sources or _NAME in config.flow_sources)


def relay_address(config: SpokeConfig, source: FlowSource | None = None) -> Address | None:
    """Where the relay is, and how it is known to be it; None where it is to be found, and no `source` was."""
    tls = Tls(config.hubble_ca, config.hubble_server_name, config.hubble_certificate, config.hubble_key)
    if config.hubble_relay == AUTO:
        if source is None:
            return None
        # Who gives files for TLS means it, whatever the Service says: nothing turns encryption off but its absence.
        is_tls = source.is_tls or config.hubble_ca is not None or config.hubble_certificate is not None
        return Address(f"{source.service}.{source.namespace}.svc", source.port, tls if is_tls else None)
    parts = urlsplit(config.hubble_relay)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return Address(host, parts.port or _PORT)
    return Address(host, parts.port or _TLS_PORT, tls)
