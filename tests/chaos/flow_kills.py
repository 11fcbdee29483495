"""Kills hub, PostgreSQL, loader and flow store on the way of flows: `python -m tests.chaos.flow_kills --kills 200`.

Each kill is at a named place of the hub (`kit.crashpoint`), where it stands still, or while a block is being inserted.
After each restart every batch is counted: in ledger, accounting, inbox, flow store and edges. One line for each kill,
then how many there were at each place; ends with 1 at the first thing that is wrong, which it names.

The hub has the embedded store when it is the victim itself; else the store is a server. As the `loader`, the victim is
a process that takes and loads batches beside one that does the fleet's work; its lease is made to run out at once.
"""

import argparse
import asyncio
import contextlib
import itertools
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from periplus_hub.kit.crashpoint import NAMES

from tests.support.flow_world import VICTIMS, HubProcess, Victim, World, world

INSERTING: Final = "while a block is inserted"
"""At no crash point: some milliseconds after a block was named."""
DAY: Final = "flows.day_replaced"
AT_START: Final = frozenset({"flows.before_truncate", "flows.after_truncate", DAY})
"""Reached by jobs whose first run is at the start, and whose next one is far."""
OF_INGEST: Final = tuple(name for name in NAMES if name.startswith("ingest."))
OF_LOADER: Final = ("flows.after_named", INSERTING, "flows.after_insert", "flows.after_loaded")
OF_FLOWS: Final = (INSERTING, *(name for name in NAMES if name.startswith("flows.")))
PLACES: Final[dict[Victim, tuple[str, ...]]] = {
    "hub": (*OF_INGEST, *OF_FLOWS),
    "postgres": (*OF_INGEST, *OF_FLOWS),
    "loader": (*OF_INGEST, *OF_LOADER),
    "store": OF_FLOWS,
}
ITSELF: Final[tuple[Victim, ...]] = ("hub", "loader")
"""Victims that are the process that stands still."""
LONGEST_INSERT_S: Final = 0.03
LONGEST_AWAY_S: Final = 0.5
OF_YESTERDAY: Final = 0.25
"""How many batches are of a day that is over."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Kill:
    """Who dies, and where the hub is then."""

    victim: Victim
    place: str


def plan(kills: int, seed: int, places: dict[Victim, tuple[str, ...]] = PLACES) -> list[Kill]:
    """Spread evenly over all places and victims, in an order of chance."""
    rng, every = random.Random(seed), [Kill(victim, place) for victim in places for place in places[victim]]
    found: list[Kill] = []
    while len(found) < kills:
        rng.shuffle(every)
        found += every
    return found[:kills]


class Run:
    """Kills in one world, one after the other. A kill is told once what came after it was judged."""

    def __init__(self, found: World, tell: Tell) -> None:
        self._world = found
        self._tell = tell
        self._unproven: list[Kill] = []
        self._recovered: list[Kill] = []

    async def kill(self, kill: Kill) -> None:
        """One, and what the restart before it made of the kill before that."""
        found, at_start = self._world, kill.place in AT_START
        if kill.place == DAY or (at_start and await found.has_empty_ring()):
            await self.live(tells=True, of_yesterday=kill.place == DAY)
        point = "flows.after_named" if kill.place == INSERTING else kill.place
        async with found.hub(point, held=at_start) as hub:
            if not at_start:
                await self._recover(hub)
                hub.held = True
                found.tell_more(of_yesterday=found.rng.random() < OF_YESTERDAY)
            async with self._sending(hub, is_needed=not at_start):
                await hub.until_stopped()
                if kill.place == INSERTING:
                    hub.held = False
                    hub.go_on()
                    await asyncio.sleep(found.rng.uniform(0, LONGEST_INSERT_S))
                self._unproven.append(kill)
                await (hub.kill() if kill.victim in ITSELF else self._kill_beside(hub))
            if kill.victim not in ITSELF and hub.is_ready:
                await self._recover(hub)
        if found.is_split:
            await found.end_leases()
        await self._judge()
        if kill.place == DAY:
            await self.live(days=True)

    async def live(self, *, tells: bool = False, of_yesterday: bool = False, days: bool = False) -> None:
        """A hub from its start until nothing is left to do, not even `days` of which nothing comes any more."""
        async with self._world.hub() as hub:
            if tells:
                self._world.tell_more(of_yesterday=of_yesterday)
            await self._recover(hub, days=days)
        await self._judge(days=days)

    @asynccontextmanager
    async def _sending(self, hub: HubProcess, *, is_needed: bool) -> AsyncIterator[None]:
        """A spoke sends meanwhile, and is not answered when the hub dies."""
        if not is_needed:
            yield
            return
        sending = asyncio.create_task(self._world.teller.send(hub.url))
        try:
            yield
        finally:
            await sending

    async def _kill_beside(self, hub: HubProcess) -> None:
        found = self._world
        await found.kill_beside()
        hub.held = False
        hub.go_on()
        await asyncio.sleep(found.rng.uniform(0, LONGEST_AWAY_S))
        await found.start_beside()

    async def _recover(self, hub: HubProcess, *, days: bool = False) -> None:
        await self._world.recover(hub, days=days)
        self._recovered, self._unproven = [*self._recovered, *self._unproven], []
        if self._world.store is not None:
            await self._judge(days=days)

    async def _judge(self, *, days: bool = False) -> None:
        await self._world.judge(days=days)
        for each in self._recovered:
            self._tell(f"{each.victim:<9} {each.place:<27} ok, {len(self._world.teller.told)} batches so far")
        self._recovered = []

    @property
    def suspects(self) -> str:
        """Kills after which nothing was judged yet."""
        return ", ".join(f"{each.victim} at {each.place}" for each in [*self._recovered, *self._unproven])


async def kill_all(folder: Path, victim: Victim, kills: Sequence[Kill], seed: int, tell: Tell) -> None:
    """In one world. Raises AssertionError at what is wrong."""
    async with world(folder, victim, f"{victim}-{seed}") as found:
        run = Run(found, tell)
        try:
            async with found.leader() if victim == "loader" else contextlib.nullcontext():
                for each in kills:
                    await run.kill(each)
            await run.live()
            await run.live(days=True)
        except (AssertionError, TimeoutError) as error:
            raise AssertionError(f"after {run.suspects}: {str(error) or 'it did not recover'}") from error


async def _main(kills: Sequence[Kill], seed: int, folder: Path) -> list[str]:
    """Worlds beside each other, because most of the time each waits; returns what is wrong."""
    began_s, number = time.monotonic(), itertools.count(1)

    def tell(text: str) -> None:
        sys.stdout.write(f"{next(number):>4}  {time.monotonic() - began_s:>6.0f} s  {text}\n")
        sys.stdout.flush()

    worlds = [
        kill_all(folder / victim, victim, mine, seed, tell)
        for victim in VICTIMS
        if (mine := [each for each in kills if each.victim == victim])
    ]
    found = await asyncio.gather(*worlds, return_exceptions=True)
    return [f"{type(each).__name__}: {each}" for each in found if each is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    first_line = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.flow_kills", description=first_line)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="how many (200)")
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated")
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS, help="all of them if not given")
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    kills = plan(asked.kills, seed, {victim: PLACES[victim] for victim in asked.victims})
    sys.stdout.write(f"{len(kills)} kills, seed {seed}\n")
    folder = Path(tempfile.mkdtemp(prefix="periplus-kills-"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder.chmod(0o711)  # the account of PostgreSQL passes through it
    wrong = asyncio.run(_main(kills, seed, folder))
    for each in wrong:
        sys.stdout.write(f"WRONG {each}; see {folder}\n")
    if not wrong:
        shutil.rmtree(folder)
        _tell_counts(kills)
    return 1 if wrong else 0


def _tell_counts(kills: Sequence[Kill]) -> None:
    counts = Counter(kills)
    for place in dict.fromkeys(place for victim in VICTIMS for place in PLACES[victim]):
        times = {victim: counts[Kill(victim, place)] for victim in VICTIMS if Kill(victim, place) in counts}
        sys.stdout.write(f"{place:<27} {', '.join(f'{victim} {number}' for victim, number in times.items())}\n")
    sys.stdout.write(f"{len(kills)} kills: nothing lost, nothing twice, nothing settled early\n")


if __name__ == "__main__":
    sys.exit(main())
