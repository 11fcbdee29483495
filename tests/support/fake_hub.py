"""A hub in the test's own process: speaks the contract, keeps a ledger, and misbehaves on demand.

It is an oracle too: `conflicts`, `gaps` and `sums` say whether a spoke lost or doubled anything.
"""

import asyncio
import base64
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, Self, TypeVar

import msgspec
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from periplus_contract import messages, problems
from periplus_contract.batch import DamagedBatchError, Header, PartMark, unseal
from periplus_contract.tables import Kind
from periplus_spoke.kit.clock import Clock, SystemClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Misbehaviour = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]
Row = tuple[str, int]
"""(epoch, seq)."""
M = TypeVar("M", bound=msgspec.Struct)

HUB_ID = "hub-under-test"
JOIN_TOKEN = "joinid.join-token-canary"
CREDENTIAL = "ppc_canary"


class FakeHub:
    """Serves on a free port of 127.0.0.1 while used as an async context manager."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.hub_id = HUB_ID
        self.approved = True
        self.revoked = False
        self.settle = True
        """Whether what is accepted is settled at once."""
        self.wants_snapshot = False
        self.newest_epoch = ""
        self.rejected: dict[str, int] = {}
        """What every batch's answer says of rows set aside."""
        self.pace = messages.Pace()
        self.credential_s = 24 * 3600
        self.registration = "11111111-1111-7111-8111-111111111111"
        self.keys: dict[str, str] = {}
        """Public key to registration."""
        self.used_tokens: dict[str, str] = {}
        self.nodes: list[str] = []
        """For which an agent enrolled, once for each request."""
        self.nonces: set[str] = set()
        self.credentials: set[str] = set()
        self.ledger: dict[Row, Header] = {}
        self.bodies: dict[Row, bytes] = {}
        self.arrivals: list[Row] = []
        self.conflicts = 0
        self.gaps = 0
        self.chain: Row | None = None
        self.statement: list[Row] = []
        """The parts of the newest whole ipam statement."""
        self.heartbeats: list[messages.Heartbeat] = []
        self.told: Counter[tuple[Kind, int, str]] = Counter()
        """Rows per (kind, hour, outcome) as the headers of the ledger told them."""
        self.requests: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._misbehaviours: dict[str, deque[Misbehaviour]] = {}
        self._watchers: list[tuple[Callable[[], bool], asyncio.Event]] = []
        self._serial = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_get("/v1/contract", self._route(self._contract))
        app.router.add_post("/v1/enroll", self._route(self._enroll))
        app.router.add_post("/v1/enroll-agent", self._route(self._enroll_agent))
        app.router.add_post("/v1/challenge", self._route(self._challenge))
        app.router.add_post("/v1/credential", self._route(self._credential))
        app.router.add_post("/v1/batches", self._route(self._batches))
        app.router.add_post("/v1/heartbeat", self._route(self._heartbeat))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    # ---- for tests

    def misbehave(self, path: str, *behaviours: Misbehaviour) -> None:
        """Answer the next requests of `path` this way, one behaviour each."""
        self._misbehaviours.setdefault(path, deque()).extend(behaviours)

    def reached(self, condition: Callable[[], bool]) -> asyncio.Event:
        """An event that is set once `condition` holds after some request."""
        event = asyncio.Event()
        self._watchers.append((condition, event))
        self._look()
        return event

    def rows(self, kind: Kind) -> int:
        """Rows of a kind in the ledger."""
        return sum(header.rows for header in self.ledger.values() if header.kind is kind)

    def revoke_credentials(self) -> None:
        """Every credential given out so far becomes unknown."""
        self.credentials.clear()

    # ---- serving

    def _route(self, handler: Handler) -> Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            self.requests.append(request.path)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                waiting = self._misbehaviours.get(request.path)
                return await (waiting.popleft()(request, handler) if waiting else handler(request))
            finally:
                self._at_once -= 1
                self._look()

        return serve

    def _look(self) -> None:
        for condition, event in self._watchers:
            if condition():
                event.set()

    async def _contract(self, _: web.Request) -> web.Response:
        kinds = tuple(messages.KindDescription(kind=kind, tables=()) for kind in Kind)
        return _json(
            messages.ContractDescription(
                oldest="1.0",
                newest="1.0",
                kinds=kinds,
                max_compressed_bytes=1 << 20,
                max_inflated_bytes=16 << 20,
                max_rows=50_000,
                hub_id=self.hub_id,
                time_us=self.clock.wall_us(),
            )
        )

    async def _enroll(self, request: web.Request) -> web.Response:
        ask = await _decode(request, messages.EnrolRequest)
        if not all(map(messages.is_fact, (ask.kubernetes_version, ask.cluster_uid, ask.way, *ask.machines))):
            return problem(problems.MALFORMED_MESSAGE)
        owner = self.used_tokens.setdefault(ask.join_token, ask.public_key)
        if not ask.join_token.startswith("joinid") or owner != ask.public_key:
            return problem(problems.PROOF_REFUSED)
        registration = self.keys.setdefault(ask.public_key, self.registration)
        return self._enrolled(registration, ask.cluster_name, "active" if self.approved else "pending")

    async def _enroll_agent(self, request: web.Request) -> web.Response:
        ask = await _decode(request, messages.AgentEnrolRequest)
        if not ask.join_token.startswith("agents"):
            return problem(problems.PROOF_REFUSED)
        self.keys[ask.public_key] = self.registration
        self.nodes.append(ask.node_name)
        return self._enrolled(self.registration, "prod-1", "active")

    def _enrolled(self, registration: str, cluster: str, state: Literal["pending", "active"]) -> web.Response:
        return _json(
            messages.EnrolAnswer(
                registration=registration, cluster_name=cluster, state=state, hub_id=self.hub_id, poll_after_s=5
            )
        )

    async def _challenge(self, request: web.Request) -> web.Response:
        await _decode(request, messages.ChallengeRequest)
        self._serial += 1
        nonce = f"nonce-{self._serial}"
        self.nonces.add(nonce)
        return _json(messages.Challenge(nonce=nonce))

    async def _credential(self, request: web.Request) -> web.Response:
        ask = await _decode(request, messages.CredentialRequest)
        if self.revoked:
            return problem(problems.REVOKED)
        if not self.approved:
            return problem(problems.PENDING)
        key = next((key for key, owner in self.keys.items() if owner == ask.registration), "")
        if ask.nonce not in self.nonces or not _is_signed(key, self.hub_id, ask):
            return problem(problems.PROOF_REFUSED)
        self.nonces.discard(ask.nonce)
        self._serial += 1
        credential = f"{CREDENTIAL}-{self._serial}"
        self.credentials.add(credential)
        now_us, span_us = self.clock.wall_us(), self.credential_s * 1_000_000
        return _json(
            messages.Credential(
                credential=credential, expires_at_us=now_us + span_us, renew_after_us=now_us + span_us // 2
            )
        )

    async def _batches(self, request: web.Request) -> web.Response:
        refused = self._authenticate(request)
        if refused is not None:
            return refused
        try:
            header, body = unseal(await request.read())
        except DamagedBatchError as error:
            return problem(problems.MALFORMED_BATCH, str(error))
        row = (header.epoch, header.seq)
        self.arrivals.append(row)
        known = self.ledger.get(row)
        if known is not None and known.sha256 != header.sha256:
            self.conflicts += 1
            return problem(problems.BATCH_CONFLICT)
        if known is None:
            if not self._chain_takes(header):
                self.gaps += 1
                return problem(problems.INVENTORY_GAP)
            if not self._part_fits(header):
                self.gaps += 1
                return problem(problems.IPAM_GAP)
            self._commit(row, header)
            self.bodies[row] = bytes(body)
        return _json(
            messages.BatchAnswer(
                result="accepted" if known is None else "duplicate",
                epoch=header.epoch,
                settled_through=self._settled(header.epoch, header.oldest_held_seq),
                rejected=self.rejected,
                pace=self.pace,
                time_us=self.clock.wall_us(),
                wants_snapshot=self.wants_snapshot,
                newest_epoch=self.newest_epoch,
            )
        )

    def _commit(self, row: Row, header: Header) -> None:
        self.ledger[row] = header
        for outcome in header.outcomes:
            key = (outcome.kind, outcome.hour_start_s)
            self.told[*key, "collected"] += outcome.collected
            self.told[*key, "folded"] += outcome.folded
            for reason, rows in outcome.dropped.items():
                self.told[*key, reason] += rows

    def _chain_takes(self, header: Header) -> bool:
        mark = header.inventory
        if mark is None:
            return True
        fits = mark.part == 1 or self.chain == (header.epoch, header.seq - 1)
        if mark.mode == "delta":
            fits = self.chain == (header.epoch, mark.after_seq)
        if fits:
            self.chain = (header.epoch, header.seq)
        return fits

    def _part_fits(self, header: Header) -> bool:
        """Whether the part before it is here; the last part makes a statement."""
        mark = header.ipam
        if mark is None:
            return True
        before = self.ledger.get((header.epoch, header.seq - 1))
        fits = mark.part == 1 or (before is not None and before.ipam == PartMark(part=mark.part - 1, parts=mark.parts))
        if fits and mark.part == mark.parts:
            self.statement = [(header.epoch, header.seq - mark.parts + part) for part in range(1, mark.parts + 1)]
        return fits

    def _settled(self, epoch: str, oldest_held_seq: int) -> int:
        if not self.settle:
            return 0
        through = oldest_held_seq - 1
        while (epoch, through + 1) in self.ledger:
            through += 1
        return through

    async def _heartbeat(self, request: web.Request) -> web.Response:
        refused = self._authenticate(request)
        if refused is not None:
            return refused
        beat = await _decode(request, messages.Heartbeat)
        self.heartbeats.append(beat)
        return _json(
            messages.HeartbeatAnswer(
                epoch=beat.epoch,
                settled_through=self._settled(beat.epoch, beat.oldest_held_seq),
                pace=self.pace,
                time_us=self.clock.wall_us(),
                wants_snapshot=self.wants_snapshot,
                newest_epoch=self.newest_epoch,
            )
        )

    def _authenticate(self, request: web.Request) -> web.Response | None:
        if self.revoked:
            return problem(problems.REVOKED)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return None if bearer in self.credentials else problem(problems.UNAUTHENTICATED)


def problem(kind: problems.ProblemType, detail: str = "", *, retry_after: str = "") -> web.Response:
    """A verdict."""
    body = problems.Problem(type=kind.uri, title=kind.title, status=kind.status, detail=detail, remedy=kind.remedy)
    headers = {"Retry-After": retry_after} if retry_after else None
    content = msgspec.json.encode(body)
    return web.Response(status=kind.status, body=content, content_type=problems.CONTENT_TYPE, headers=headers)


def refuse(kind: problems.ProblemType, *, retry_after: str = "") -> Misbehaviour:
    """Answer with a verdict instead of doing the work."""

    async def behave(request: web.Request, handler: Handler) -> web.StreamResponse:
        await request.read()
        return problem(kind, retry_after=retry_after)

    return behave


def refuse_kind(hub: FakeHub, kind: Kind, verdict: problems.ProblemType) -> Misbehaviour:
    """Refuse the next batch of a kind that is not in the ledger already; others are served meanwhile."""

    async def behave(request: web.Request, handler: Handler) -> web.StreamResponse:
        header, _ = unseal(await request.read())
        if header.kind is kind and (header.epoch, header.seq) not in hub.ledger:
            return problem(verdict)
        hub.misbehave("/v1/batches", behave)
        return await handler(request)

    return behave


def refuse_larger(hub: FakeHub, rows: int) -> Misbehaviour:
    """Refuse every batch of more rows as too large; from now on, not only the next."""

    async def behave(request: web.Request, handler: Handler) -> web.StreamResponse:
        hub.misbehave("/v1/batches", behave)
        header, _ = unseal(await request.read())
        return problem(problems.TOO_LARGE) if header.rows > rows else await handler(request)

    return behave


def answer(status: int, body: bytes = b"", content_type: str = "text/html", **headers: str) -> Misbehaviour:
    """Answer like something that is no hub."""

    async def behave(request: web.Request, handler: Handler) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, body=body, content_type=content_type, headers=headers)

    return behave


async def lose_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Do the work, then break the connection instead of answering."""
    await handler(request)
    return await break_connection(request, handler)


async def break_connection(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reset without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


async def flood(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An answer that never ends."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(64):
        await response.write(b" " * 65_536)
    return response


def _json(message: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(message), content_type="application/json")


async def _decode(request: web.Request, kind: type[M]) -> M:
    return msgspec.json.decode(await request.read(), type=kind)


def _is_signed(key: str, hub_id: str, ask: messages.CredentialRequest) -> bool:
    try:
        public_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
        signed = messages.proof_bytes(hub_id, ask.registration, ask.nonce)
        public_key.verify(base64.b64decode(ask.signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True
