"""Health that tells the truth: ready means that a commit went through a moment ago."""

import asyncio
import platform
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from periplus_contract.problems import CONTENT_TYPE as PROBLEM
from periplus_hub.ingest.tables import batches
from periplus_hub.kit import metrics
from periplus_hub.kit.commit_probe import commit_something
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import is_no_room, is_read_only
from periplus_hub.kit.errors import Unavailable

_KEPT_S: Final = 1.0
_PROBE_S: Final = 3.0
_ready: Final = metrics.gauge("periplus_ready", "1 while the hub can commit, else 0.")
_build: Final = metrics.gauge(
    "periplus_build_info", "Always 1: which version of the hub runs on which Python.", ("version", "python")
)
_build.labels(version("periplus-hub"), platform.python_version()).set(1)


class Health:
    """Probes of one process; the answer is kept for a second, so that probes cannot become a load."""

    def __init__(self, db: Database, degraded: Callable[[], Mapping[str, str]] = dict) -> None:
        """`degraded` names what is wrong and no reason to send people and spokes elsewhere: they are served."""
        self._db = db
        self._degraded = degraded
        self._asked_s = float("-inf")
        self._trouble: str | None = "not asked yet"
        self._lock = asyncio.Lock()
        self.draining = False

    def routes(self) -> list[Route]:
        """/healthz and /readyz."""
        return [Route("/healthz", self._alive), Route("/readyz", self._answer)]

    async def scrape(self, _: Request) -> Response:
        """/metrics; what it says of readiness is asked now: nobody else may ask."""
        await self.trouble()
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    async def trouble(self) -> str | None:
        """Why the hub is not ready, or None."""
        if self.draining:
            return "the hub is stopping"
        # One probe at a time: a database that hangs would otherwise collect one connection for each prober.
        async with self._lock:
            now_s = self._db.clock.monotonic_s()
            if now_s - self._asked_s >= _KEPT_S:
                self._trouble = await self._probe()
                self._asked_s = now_s
                _ready.set(self._trouble is None)
        return self._trouble

    async def _probe(self) -> str | None:
        try:
            async with asyncio.timeout(_PROBE_S):
                # A commit and not a SELECT: a full disk and a standby still answer those, and no batch could be taken.
                await commit_something(self._db, batches)
        except TimeoutError:
            return f"the database did not commit within {_PROBE_S:.0f} s"
        except Unavailable as error:
            return error.message
        except (SQLAlchemyError, OSError) as error:
            return f"the database does not commit: {_because(error)}"
        return None

    async def _alive(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _answer(self, _: Request) -> Response:
        trouble = await self.trouble()
        if trouble is None:
            degraded = [{"name": name, "detail": detail} for name, detail in self._degraded().items()]
            return JSONResponse({"status": "ready", "degraded": degraded})
        status = HTTPStatus.SERVICE_UNAVAILABLE
        body = {"type": "about:blank", "title": "Not ready", "status": status, "detail": trouble}
        return JSONResponse(body, status_code=status, media_type=PROBLEM)


def _because(error: Exception) -> str:
    if is_no_room(error):
        return "its disk or its memory is full"
    if is_read_only(error):
        return "it takes no writes (default_transaction_read_only, or it is a standby)"
    return type(error).__name__
