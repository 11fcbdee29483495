"""Keep a listener equal to one kind of object: list, watch, and start again when that breaks.

Rules: one watch per kind with bookmarks and a random server-side end; a normal end resumes from the last
resourceVersion; 410, as a status or inside the stream, lists again after jitter, and the listener drops what is gone;
refusals are retried in minutes; everything else backs off with full jitter.
"""

import random
from typing import Final, Generic, Literal, Protocol, TypeVar

import msgspec

from periplus_spoke.kit.clock import Timer
from periplus_spoke.kube.client import METADATA_WATCH, KubeClient
from periplus_spoke.kube.lists import PageDecoder, Resource, pages, uid_of
from periplus_spoke.kube.problems import KubeProblem, Status, from_exception, from_status
from periplus_spoke.kube.session import JSON

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

State = Literal["ok", "absent", "forbidden", "failed"]

_WATCH_S: Final = (240, 480)
_QUIET_MARGIN_S: Final = 30
_REFUSED_S: Final = (120.0, 300.0)
_RELIST_S: Final = (6 * 3600.0, 12 * 3600.0)
"""A safety net: an event that was missed for whatever reason would otherwise be missed for ever."""
_BACKOFF_CAP_S: Final = 60.0
_BACKOFF_STEPS: Final = 6
_GONE_JITTER_S: Final = 1.0
_SHORT_WATCH_S: Final = (0.5, 1.5)
_RETRY_AFTER_S: Final = (1.0, 300.0)
"""The least and the most that a Retry-After is taken for."""
_MICROS: Final = 1_000_000


class Listener(Protocol[T_contra]):
    """Told about every object, in order; calls never block."""

    def list_began(self) -> None:
        """A full list follows."""

    def upsert(self, thing: T_contra) -> None:
        """An object as it is now."""

    def remove(self, thing: T_contra) -> None:
        """An object's last state; it is gone."""

    def list_ended(self) -> None:
        """Everything not seen since `list_began` is gone."""

    def state_changed(self, state: State, problem: KubeProblem | None) -> None:
        """The source works, or no longer does."""

    def misfit(self, message: str, uid: str) -> None:
        """An object was left out because it has an unknown shape; its uid, where at least that can be read."""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _VersionMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Versioned(msgspec.Struct):
    metadata: _VersionMeta = msgspec.field(default_factory=_VersionMeta)


class Reflector(Generic[T]):
    """One kind. `run` ends only by cancellation."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource[T],
        listener: Listener[T],
        timer: Timer,
        rng: random.Random,
    ) -> None:
        self._client = client
        self._resource = resource
        self._listener = listener
        self._timer = timer
        self._rng = rng
        self._decoder: PageDecoder[T] = PageDecoder(resource.type)
        self._event = msgspec.json.Decoder(_Event)
        self._version_of = msgspec.json.Decoder(_Versioned)
        self._status = msgspec.json.Decoder(Status)
        self._version = ""
        self._failures = 0
        self._relist_at_us = 0
        self._has_bookmarks = False

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                if not self._version or self._timer.monotonic_us() >= self._relist_at_us:
                    await self._list()
                await self._watch()
            except KubeProblem as problem:
                await self._timer.sleep(self._after(problem))

    async def _list(self) -> None:
        # A list that breaks leaves nothing to resume a watch from, so the next attempt lists again.
        self._version = ""
        self._listener.list_began()
        version = ""
        async for page in pages(self._client, self._resource, self._decoder):
            for thing in page.items:
                self._listener.upsert(thing)
            for message, uid in page.misfits:
                self._listener.misfit(message, uid)
            # All pages are of one version, as the server reads the later ones as of the first.
            version = page.metadata.resource_version
        self._listener.list_ended()
        self._version = version
        self._relist_at_us = self._timer.monotonic_us() + int(self._rng.uniform(*_RELIST_S) * _MICROS)
        self._listener.state_changed("ok", None)

    async def _watch(self) -> None:
        seconds = self._rng.randint(*_WATCH_S)
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        accept = METADATA_WATCH if self._resource.metadata_only else JSON
        lines = self._client.lines(self._resource.path, params, accept=accept, quiet_s=lambda: self._quiet_s(seconds))
        started_us = self._timer.monotonic_us()
        heard = False
        try:
            async for line in lines:
                self._hear(line)
                heard = True
        finally:
            # Whatever ended the loop, the connection is given back now and not whenever the generator is collected.
            await lines.aclose()
        # A server that ends every watch at once must not be asked in a tight loop.
        short = self._timer.monotonic_us() - started_us <= _MICROS
        if short and not heard:
            raise KubeProblem("server_error", f"watch {self._resource.source}: ended at once")
        self._works()
        if short:
            await self._timer.sleep(self._rng.uniform(*_SHORT_WATCH_S))

    def _quiet_s(self, watch_s: float) -> float:
        """How long a watch of `watch_s` may say nothing before it counts as broken."""
        longest_s = watch_s + _QUIET_MARGIN_S
        # A server that sends bookmarks speaks every minute or so even when nothing changes. Without them silence is
        # ordinary, and only a watch that outlives its own end is known to be broken.
        return min(self._client.settings.watch_quiet_s, longest_s) if self._has_bookmarks else longest_s

    def _hear(self, line: bytes) -> None:
        try:
            event = self._event.decode(line)
            if event.type == "ERROR":
                status = self._status.decode(event.object)
                raise from_status(status.code or 500, status, f"watch {self._resource.source}")
            # Before the object itself is decoded: one of an unknown shape is then not met again by the next watch.
            self._version = self._version_of.decode(event.object).metadata.resource_version or self._version
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise from_exception(error, f"watch {self._resource.source}") from error
        if event.type == "BOOKMARK":
            self._has_bookmarks = True
            if self._failures:
                self._works()
            return
        try:
            thing = self._decoder.one(event.object)
        except msgspec.ValidationError as error:
            self._listener.misfit(str(error), uid_of(event.object))
            return
        if event.type == "DELETED":
            self._listener.remove(thing)
        else:
            self._listener.upsert(thing)
        if self._failures:
            self._works()

    def _works(self) -> None:
        self._failures = 0
        self._listener.state_changed("ok", None)

    def _after(self, problem: KubeProblem) -> float:
        """Note `problem`; seconds to wait before the next attempt."""
        if problem.reason == "gone":
            self._version = ""
            # Only a watch that works resets the failures: a server that answers 410 right after each list would
            # otherwise be listed in a tight loop.
            self._failures += 1
            return self._backoff_s() if self._failures > 1 else self._rng.uniform(0, _GONE_JITTER_S)
        if problem.reason in {"forbidden", "not_found"}:
            self._version = ""
            self._listener.state_changed("forbidden" if problem.reason == "forbidden" else "absent", problem)
            # Rights are granted and kinds installed by people: minutes are soon enough, and every try is a line in the
            # cluster's audit log.
            return self._rng.uniform(*_REFUSED_S)
        self._failures += 1
        if self._failures > 1 or not self._version:
            # One broken watch is ordinary (load balancers cut them); twice, or no list at all, is a fact.
            self._listener.state_changed("failed", problem)
        if problem.retry_after_s is not None:
            least, most = _RETRY_AFTER_S
            return min(max(problem.retry_after_s, least), most) * self._rng.uniform(1.0, 1.5)
        return self._backoff_s()

    def _backoff_s(self) -> float:
        # Full jitter from zero: the reflectors of one cluster fail together, and must not come back together.
        ceiling = min(_BACKOFF_CAP_S, 2.0 ** min(self._failures, _BACKOFF_STEPS))
        return self._rng.uniform(0, ceiling)
