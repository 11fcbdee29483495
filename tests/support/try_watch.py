"""`periplus try --watch` as a process whose lines are read as they come, until Ctrl-C."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.commands import AS_AT_A_TERMINAL, own_environment

PATIENCE_S = 240


@dataclass
class Running:
    """A command whose lines are read as they come."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        """The next."""
        assert self.process.stdout is not None
        if text := await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S):
            return text.decode()
        _, said = await self.process.communicate()
        raise AssertionError(said.decode())

    async def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The next document that is wanted."""
        while not wanted(found := json.loads(await self.line())):
            pass
        return dict(found)

    async def stopped(self) -> tuple[int, list[str], str]:
        """After Ctrl-C: its exit code, the rest of its lines, and what it said."""
        self.process.send_signal(signal.SIGINT)
        out, said = await asyncio.wait_for(self.process.communicate(), PATIENCE_S)
        assert self.process.returncode is not None
        return self.process.returncode, out.decode().splitlines(), said.decode()


@asynccontextmanager
async def trying(kubeconfig: Path, home: Path, *options: str) -> AsyncIterator[Running]:
    """It would watch for an hour."""
    words = ("try", "--kubeconfig", str(kubeconfig), "--watch", "1h", *options)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AS_AT_A_TERMINAL, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
        env=own_environment(home),
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def waits(name: str, reason: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a document says so of this cluster."""
    return lambda found: reason in {each["reason"] for each in found.get("waiting", ()) if each["cluster"] == name}
