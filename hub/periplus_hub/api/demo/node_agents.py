"""Agents of the simulated nodes, as the hub meets them: each joins with its own key and sends sealed batches of flows.

They are in one process, because sixty processes would be slower to start than the whole rest of the demonstration. What
they send passes the spokes' listener like what any agent sends, and everything behind it is the hub's own.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from periplus_contract import problems
from periplus_contract.messages import (
    BATCH_CONTENT_TYPE,
    AgentEnrolRequest,
    BatchAnswer,
    Challenge,
    ChallengeRequest,
    Credential,
    CredentialRequest,
    EnrolAnswer,
    proof_bytes,
)
from periplus_contract.version import CONTRACT
from periplus_hub.api.demo.flow_batches import Seal, sealed
from periplus_hub.api.demo.posting import Post
from periplus_hub.api.demo.traffic import MINUTE_S, is_silent, nodes_with_agents, seen_by
from periplus_hub.api.hub_client import HubCallError, Reply
from periplus_hub.flows.model import HOUR_S
from periplus_hub.kit.clock import Clock, unix_us
from periplus_hub.kit.ids import new_id

T = TypeVar("T", bound=msgspec.Struct)
Work = TypeVar("Work")

HISTORY_HOURS: Final = 3
"""Whole hours before the one in which the demonstration starts: enough to know what is new and what fell silent."""
_LANES: Final = 8
_LONGEST_BATCH_S: Final = 6 * HOUR_S
"""After the machine slept there is much to tell."""
_JSON: Final = {"Content-Type": "application/json"}


@dataclass
class _Agent:
    """One node's. What the hub did not accept is kept, and sent again before anything newer."""

    node: str
    told_until_s: int
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    epoch: UUID = field(default_factory=new_id)
    id: str = ""
    hub_id: str = ""
    credential: str = ""
    seq: int = 0
    settled_through: int = 0
    held: deque[bytes] = field(default_factory=deque)

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()


class NodeAgents:
    """All of them. The first thing that they tell is what passed in the hours before they joined."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.start_s = _minute(clock)
        self.history_from_s = (self.start_s // HOUR_S - HISTORY_HOURS) * HOUR_S
        self._agents: list[_Agent] = []

    @property
    def has_news(self) -> bool:
        """Whether a minute is over that was not told, or the hub did not accept what was."""
        return any(each.held or each.told_until_s < _minute(self._clock) for each in self._agents)

    async def join(self, post: Post, tokens: Mapping[str, str]) -> None:
        """Those of the clusters that there is a join token for. Raises HubCallError."""
        joining = [
            (_Agent(node, self.history_from_s), token)
            for cluster, token in tokens.items()
            for node in nodes_with_agents()[cluster]
        ]
        await _in_lanes(joining, lambda each: _join(post, *each))
        self._agents = [agent for agent, _ in joining]

    async def tell(self, post: Post) -> None:
        """Send what passed in minutes that are over. Raises HubCallError; what was not accepted is sent next time."""
        until_s = _minute(self._clock)
        for agent in self._agents:
            self._seal(agent, until_s)
        await _in_lanes(self._agents, lambda agent: _send(post, agent))

    def _seal(self, agent: _Agent, until_s: int) -> None:
        while agent.told_until_s < until_s:
            begins_s = agent.told_until_s
            agent.told_until_s = min(until_s, begins_s + _LONGEST_BATCH_S)
            minutes = [
                at_s
                for at_s in range(begins_s, agent.told_until_s, MINUTE_S)
                if not is_silent(agent.node, self.start_s, at_s)
            ]
            if not minutes:
                continue
            flows = [flow for at_s in minutes for flow in seen_by(agent.node, self.start_s, at_s)]
            agent.seq += 1
            seal = Seal(
                sender=agent.id,
                node=agent.node,
                epoch=agent.epoch,
                seq=agent.seq,
                oldest_held_seq=agent.settled_through + 1,
                now_us=unix_us(self._clock.now()),
                monotonic_us=int(self._clock.monotonic_s() * 1_000_000),
            )
            agent.held.append(sealed(seal, flows, begins_s, minutes[-1] + MINUTE_S))


def _minute(clock: Clock) -> int:
    """When the last minute that is over ended."""
    return int(clock.now().timestamp()) // MINUTE_S * MINUTE_S


async def _in_lanes(work: Sequence[Work], do: Callable[[Work], Awaitable[None]]) -> None:
    """A few at a time. The first that fails ends its lane, and is raised when all have ended."""
    failed: list[HubCallError] = []

    async def lane(mine: Sequence[Work]) -> None:
        try:
            for each in mine:
                await do(each)
        except HubCallError as error:
            failed.append(error)

    async with asyncio.TaskGroup() as group:
        for number in range(_LANES):
            group.create_task(lane(work[number::_LANES]))
    if failed:
        raise failed[0]


async def _join(post: Post, agent: _Agent, token: str) -> None:
    request = AgentEnrolRequest(
        join_token=token,
        public_key=agent.public_key,
        node_name=agent.node,
        spoke_version="simulated",
        contract=str(CONTRACT),
    )
    answer = await _ask(post, "/v1/enroll-agent", request, EnrolAnswer)
    agent.id, agent.hub_id = answer.registration, answer.hub_id
    await _prove(post, agent)


async def _prove(post: Post, agent: _Agent) -> None:
    challenge = await _ask(post, "/v1/challenge", ChallengeRequest(registration=agent.id), Challenge)
    signature = agent.key.sign(proof_bytes(agent.hub_id, agent.id, challenge.nonce))
    proof = CredentialRequest(
        registration=agent.id, nonce=challenge.nonce, signature=base64.b64encode(signature).decode()
    )
    agent.credential = (await _ask(post, "/v1/credential", proof, Credential)).credential


async def _send(post: Post, agent: _Agent) -> None:
    while agent.held:
        reply = await _post_batch(post, agent)
        if reply.status == HTTPStatus.UNAUTHORIZED:  # a credential lasts a day
            await _prove(post, agent)
            reply = await _post_batch(post, agent)
        answer = _read(reply, BatchAnswer)
        agent.settled_through = answer.settled_through
        agent.held.popleft()


async def _post_batch(post: Post, agent: _Agent) -> Reply:
    headers = {"Authorization": f"Bearer {agent.credential}", "Content-Type": BATCH_CONTENT_TYPE}
    return await post("/v1/batches", agent.held[0], headers)


async def _ask(post: Post, path: str, message: msgspec.Struct, answer: type[T]) -> T:
    return _read(await post(path, msgspec.json.encode(message), _JSON), answer)


def _read(reply: Reply, answer: type[T]) -> T:
    if reply.status == HTTPStatus.OK:
        return msgspec.json.decode(reply.content, type=answer)
    if reply.content_type == problems.CONTENT_TYPE:
        problem = msgspec.json.decode(reply.content, type=problems.Problem)
        raise HubCallError(f"{problem.title}: {problem.detail}", problem.remedy, "refused")
    raise HubCallError(f"the hub answered an agent with {reply.status}", "Look at the hub's log.")
