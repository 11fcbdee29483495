"""Clocks of tests: one stands still until a test moves it, for the other time passes as fast as it is waited for."""

import asyncio
import heapq
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)
START_S = 1_767_225_600
_SECOND_US = 1_000_000
_TURNS_OF_THE_LOOP = 20
_MOST_WAITS = 1_000


class QuickTimer:
    """Begins ten seconds after `START`, so that a minute and an hour have begun; stands in for the spoke's."""

    def __init__(self) -> None:
        self.us = (START_S + 10) * _SECOND_US

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.us / _SECOND_US, UTC)

    def wall_us(self) -> int:
        return self.us

    def monotonic_us(self) -> int:
        return self.us

    async def sleep(self, seconds: float) -> None:
        self.us += int(seconds * _SECOND_US)
        await asyncio.sleep(0)


class FakeClock:
    """Stands in for the hub's and the spoke's.

    Wall and monotonic time move together with `advance`; `step` moves the wall alone.
    """

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._monotonic_us = 0
        self._order = count()
        self._sleepers: list[tuple[int, int, asyncio.Event]] = []
        self._slept = asyncio.Event()

    def now(self) -> datetime:
        return self._wall

    def wall_us(self) -> int:
        return round((self._wall - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

    def monotonic_us(self) -> int:
        return self._monotonic_us

    def monotonic_s(self) -> float:
        return self._monotonic_us / _SECOND_US

    def step(self, seconds: float) -> None:
        """Someone sets the wall clock."""
        self._wall += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        """Time passes; whoever sleeps no longer than that wakes up."""
        self._wall += timedelta(seconds=seconds)
        self._monotonic_us += round(seconds * _SECOND_US)
        while self._sleepers and self._sleepers[0][0] <= self._monotonic_us:
            heapq.heappop(self._sleepers)[2].set()

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced so far."""
        woken = asyncio.Event()
        due_us = self._monotonic_us + round(seconds * _SECOND_US)
        if due_us <= self._monotonic_us:
            await asyncio.sleep(0)
            return
        heapq.heappush(self._sleepers, (due_us, next(self._order), woken))
        self._slept.set()
        await woken.wait()

    @property
    def next_wake_s(self) -> float | None:
        """Seconds until the first sleeper wakes; None when nobody sleeps."""
        return (self._sleepers[0][0] - self._monotonic_us) / _SECOND_US if self._sleepers else None

    async def run_until(self, reached: asyncio.Event, *, most_s: float = 1e9) -> float:
        """Let time pass from sleeper to sleeper until `reached`; the seconds that passed.

        Between two wake-ups real work of this process gets the time to finish, as long as it takes on a busy machine:
        otherwise whoever waits for a thread or a socket would see a deadline pass that is nowhere near.
        """
        passed = 0.0
        while not reached.is_set():
            try:
                await asyncio.wait_for(reached.wait(), timeout=0.01)
            except TimeoutError:
                await _until_idle()
                if reached.is_set():
                    break
                wake_s = self.next_wake_s
                if wake_s is None:
                    continue
                if passed + wake_s > most_s:
                    raise AssertionError(f"not reached within {most_s} s of clock time") from None
                passed += wake_s
                self.advance(wake_s)
        return passed


async def _until_idle() -> None:
    """Return once no thread but this one works or waits for the disk, and the loop has done what came of it."""
    for _ in range(_MOST_WAITS):
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        if not _others_at_work():
            return
        await asyncio.sleep(0.002)


def _others_at_work() -> bool:
    """Whether another thread of this process is running, runnable or in the disk; never where there is no /proc."""
    own = str(threading.get_native_id())
    return any(_state(task) in "RD" for task in Path("/proc/self/task").glob("[0-9]*") if task.name != own)


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_bytes().rpartition(b")")[2].split()[0].decode()
    except OSError:  # it has ended
        return "X"
