"""A hub that takes flows: its spokes' door, its loader and its roll-up, and batches of flows as spokes seal them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

from periplus_contract.batch import FlowsMark
from periplus_contract.tables import FLOWS, PEERS, Kind
from periplus_hub.access.scope import Scope
from periplus_hub.fleet import service as fleet
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.jobs import RollUpJob
from periplus_hub.flows.loading import FlowLoadJob
from periplus_hub.flows.model import MEASURES
from periplus_hub.flows.service_intake import FlowsApplier
from periplus_hub.flows.service_ring import turn
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.ids import new_id

from tests.support.batches import Spoke, section
from tests.support.spokes_door import Door, open_door

MEMORY_BYTES = 1024**3


def folder_url(folder: Path) -> str:
    """An engine of this process, in a folder."""
    return f"chdb://{folder}"


@dataclass
class FlowHub:
    """What a hub process has for flows. `settle` does what its jobs do, until nothing is left to do."""

    db: Database
    store: ColumnStore
    door: Door
    applier: FlowsApplier
    config: FlowsConfig = field(default_factory=FlowsConfig)

    @property
    def load_job(self) -> FlowLoadJob:
        return FlowLoadJob(self.db, self.store, self.applier, self.config)

    async def load(self) -> None:
        """Everything that waits."""
        await self.load_job.run(self.db.clock.now())

    async def roll_up(self) -> None:
        """Every hour that has to be."""
        await RollUpJob(self.db, self.store, self.config).run(self.db.clock.now())

    async def settle(self) -> None:
        """Both."""
        await self.load()
        await self.roll_up()

    async def turn(self) -> bool:
        """The inbox's ring."""
        return await turn(self.db, self.store)

    async def same_domain(self, scope: Scope, *clusters: UUID) -> UUID:
        """Move these clusters into one network domain, from now on."""
        now = self.db.clock.now()
        async with self.db.write(scope) as c:
            domain = await fleet.create_domain(c, scope, f"network-{clusters[0].hex}")
            await fleet.move_clusters(c, scope, domain.id, list(clusters), now=now)
        return domain.id

    async def rows(self, scope: Scope, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """What the store answers."""
        found: list[dict[str, Any]] = (await self.store.query(scope, statement, parameters)).to_pylist()
        return found


@asynccontextmanager
async def flow_hub(
    db: Database, where: Path | str, appliers: tuple[Any, ...] = (), *, cluster: str | None = None
) -> AsyncIterator[FlowHub]:
    """With an engine of this process in a folder, of which it has one at a time, or with a server's URL."""
    url = where if isinstance(where, str) else folder_url(where)
    store = ColumnStore(url, memory_bytes=MEMORY_BYTES, cluster=cluster)
    applier = FlowsApplier(new_id())
    door = open_door(db, appliers=(applier, *appliers))
    try:
        yield FlowHub(db, store, door, applier)
    finally:
        door.intake.close()
        await door.http.aclose()
        await store.close()


@dataclass(frozen=True)
class Peer:
    """An end: an address, or a workload that the source told as `namespace/Kind/name`, or both of another cluster."""

    address: str = "::"
    workload: str = ""
    cluster: str = ""
    host: str = ""

    def row(self) -> dict[str, Any]:
        address = ip_address(self.address)
        number = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
        namespace, kind, name = self.workload.split("/") if self.workload else ("", "", "")
        halves = {"address_high": _signed(number >> 64), "address_low": _signed(number & (2**64 - 1))}
        names = {"namespace": namespace, "kind": kind, "workload": name}
        return {**halves, **names, "cluster": self.cluster or None, "host": self.host or None}


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


CLIENT, SERVER, BOTH = 1, 2, 3


@dataclass(frozen=True)
class Flow:
    """A row, in the words of the contract. Measures that are not given are not known."""

    src: Peer
    dst: Peer
    at: int
    """The window's start, in seconds."""
    reporter: int = CLIENT
    port: int = 443
    protocol: int = 6
    verdict: int = 1
    window_s: int = 60
    sampling: int = 1
    collector: int = 1
    measures: dict[str, int] = field(default_factory=dict)

    def row(self, peers: dict[Peer, int]) -> dict[str, Any]:
        return {
            "src": peers.setdefault(self.src, len(peers)),
            "dst": peers.setdefault(self.dst, len(peers)),
            "window_start": self.at,
            "window_s": self.window_s,
            "dst_port": self.port,
            "protocol": self.protocol,
            "verdict": self.verdict,
            "reporter": self.reporter,
            "collector": self.collector,
            **{name: self.measures.get(name) for name in MEASURES},
            "sampling": self.sampling,
            "policy": "",
            "drop_reason": "",
        }


def bytes_of(tx: int, rx: int = 0) -> dict[str, int]:
    """Measures of a row that knows bytes."""
    return {"bytes_tx": tx, "bytes_rx": rx}


def seal_flows(spoke: Spoke, flows: Sequence[Flow], /, **rewrite: Any) -> bytes:
    """The next batch of a spoke; its window is that of its rows."""
    peers: dict[Peer, int] = {}
    rows = [flow.row(peers) for flow in flows]
    parts = [section(Kind.FLOWS, PEERS.name, [peer.row() for peer in peers]), section(Kind.FLOWS, FLOWS.name, rows)]
    start = min((flow.at for flow in flows), default=int(spoke.at.timestamp()))
    end = max((flow.at + flow.window_s for flow in flows), default=start + 60)
    header = {"flows": FlowsMark(), "window_start_s": start, "window_s": end - start}
    return spoke.seal(Kind.FLOWS, parts, **{**header, **rewrite})


def seconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp())


def total(rows: Iterable[dict[str, Any]], name: str) -> int:
    """Of a column."""
    return sum(row[name] for row in rows)
