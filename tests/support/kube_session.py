"""A spoke's view of a FakeKube: a client on it, and a timer whose waits pass at once and are remembered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import periplus_spoke.kube  # noqa: F401 - puts the stand-ins in place
from periplus_spoke.kube.client import KubeClient, KubeSettings
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials

from tests.support.clock import FakeClock
from tests.support.kube_api import FakeKube, write_kubeconfig


class SkippingTimer(FakeClock):
    """Waits take no time; `waits` remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def session(
    fake: FakeKube, folder: Path, *, timer: SkippingTimer | None = None, settings: KubeSettings | None = None
) -> AsyncIterator[KubeClient]:
    """A client of `fake`, through a kubeconfig in `folder`."""
    async with fake.serving() as url:
        config = write_kubeconfig(folder / "kubeconfig", url, token=fake.token)
        client = KubeClient(KubeconfigCredentials(str(config)), timer or SkippingTimer(), settings)
        try:
            yield client
        finally:
            await client.close()
