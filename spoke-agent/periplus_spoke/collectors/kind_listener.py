"""Between a watch and the inventory: which objects a list no longer names, and how the source is doing."""

import asyncio
from collections.abc import Callable
from typing import Generic

from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.watched_kinds import T, Watched
from periplus_spoke.conversion.sources import Source
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kube.problems import KubeProblem
from periplus_spoke.kube.reflector import State


class KindListener(Generic[T]):
    """Applies one kind to the inventory and calls `wake` when something may have changed."""

    def __init__(self, watched: Watched[T], inventory: Inventory, clock: Clock, wake: Callable[[], None]) -> None:
        self._watched = watched
        self._inventory = inventory
        self._clock = clock
        self._wake = wake
        self._seen: set[str] | None = None
        self._odd: set[str] = set()
        self._nameless = 0
        self._misfit = ""
        self.answered = asyncio.Event()
        """Set once the kind has been listed whole, or has failed."""

    @property
    def name(self) -> str:
        """The name of its source."""
        return self._watched.resource.source

    def list_began(self) -> None:
        """A full list follows."""
        self._seen = set()
        self._odd.clear()
        self._nameless = 0

    def upsert(self, thing: T) -> None:
        """An object as it is now."""
        uid = thing.metadata.uid
        if not uid:
            self.misfit("an object has no uid", "")
            return
        # It can be read again; while it could not, its row stayed as it was.
        self._odd.discard(uid)
        if self._seen is not None:
            self._seen.add(uid)
        self._watched.upsert(thing, self._clock.wall_us())
        self._wake()

    def remove(self, thing: T) -> None:
        """An object is gone."""
        self._odd.discard(thing.metadata.uid)
        self._watched.forget(thing.metadata.uid, self._clock.wall_us())
        self._wake()

    def list_ended(self) -> None:
        """Forget what the list did not name; unless some of it has no name, then nothing is sure to be gone."""
        # An empty list forgets everything, and that is meant: a list that failed half-way never ends here.
        seen, self._seen = self._seen, None
        if seen is not None and not self._nameless:
            at_us = self._clock.wall_us()
            for uid in self._watched.known():
                if uid not in seen:
                    self._watched.forget(uid, at_us)
            self._inventory.listed.add(self._watched.covers)
        self._wake()

    def state_changed(self, state: State, problem: KubeProblem | None) -> None:
        """Report the source. A source that works again is told at once, as is one that stops."""
        at_us = self._clock.wall_us()
        if problem is None:
            self._report_ok(at_us)
        else:
            known = self._inventory.sources.get(self.name)
            source = Source(
                state=state,
                reason=problem.reason,
                message=problem.message,
                remedy=problem.remedy,
                objects=known.objects if known else None,
                as_of_us=known.as_of_us if known else None,
            )
            self._inventory.report(self.name, source, at_us, quietly=True)
        # A failure is an answer too: the first picture must not wait for what may not be read.
        self.answered.set()
        self._wake()

    def misfit(self, message: str, uid: str) -> None:
        """An object of unknown shape was left out; what was known of it stays."""
        if not uid:
            self._nameless += 1
        else:
            self._odd.add(uid)
            if self._seen is not None:
                self._seen.add(uid)
        self._misfit = message

    def count(self) -> None:
        """Bring the source's object count up to date, when it works."""
        known = self._inventory.sources.get(self.name)
        if known is not None and known.state == "ok":
            self._report_ok(self._clock.wall_us())

    def broke(self) -> None:
        """A fault of the spoke itself ended this kind's watch."""
        source = Source(
            state="failed",
            reason="spoke_fault",
            message=f"the collector of {self.name} failed",
            remedy="Report it with the spoke's log; the collector starts again by itself.",
        )
        self._inventory.report(self.name, source, self._clock.wall_us())
        self.answered.set()
        self._wake()

    def slow(self, waited_s: float) -> None:
        """The first snapshot goes out without this kind, or with a part of it."""
        source = Source(
            state="slow",
            reason="slow",
            message=f"{self.name} was not listed completely within {waited_s:g} s",
            remedy="Nothing: what is missing follows as soon as it has been read.",
        )
        self._inventory.report(self.name, source, self._clock.wall_us())

    def _report_ok(self, at_us: int) -> None:
        source = Source(state="ok", objects=sum(1 for _ in self._watched.known()), as_of_us=at_us)
        left_out = self._nameless + len(self._odd)
        if left_out:
            source.reason = "unknown_shape"
            source.message = f"{left_out} objects were left out: {self._misfit}"
            source.remedy = "Upgrade the spoke, or look at what writes these objects."
        self._inventory.report(self.name, source, at_us, quietly=True)
