"""Enrolment, and a credential that is always fresh enough.

A credential comes only for a fresh proof: the hub's nonce, signed with the key shown at enrolment. Neither the join
token nor the credential is ever logged or stored; a restart proves itself again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable
from typing import Final, TypeVar

import msgspec

from periplus_contract import problems
from periplus_contract.limits import CREDENTIAL_LIFETIME_S
from periplus_contract.messages import (
    AgentEnrolRequest,
    Challenge,
    ChallengeRequest,
    ContractDescription,
    Credential,
    CredentialRequest,
    EnrolAnswer,
    EnrolRequest,
    proof_bytes,
)
from periplus_contract.version import CONTRACT, Version, best_common
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kit.errors import HubRefusedForGoodError
from periplus_spoke.kit.version import VERSION
from periplus_spoke.transport.client import HubClient, NoAnswerError, Reply
from periplus_spoke.transport.identity import IdentityStore, Registration, check_hub
from periplus_spoke.transport.verdicts import HubRefusal, NoVerdict, judge

T = TypeVar("T", bound=msgspec.Struct)

_SERVER_ERROR: Final = 500
_SOONEST_US: Final = 60_000_000
_LATEST_US: Final = CREDENTIAL_LIFETIME_S * 1_000_000
"""Bounds of the time to renewal, whatever the hub says."""
_log: Final = logging.getLogger(__name__)


class HubRefusalError(Exception):
    """The hub's verdict on something else than a batch."""

    def __init__(self, refusal: HubRefusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ForgottenError(HubRefusedForGoodError):
    """The hub does not know this agent of a node any more. Started again it joins anew, as its token is for many."""


async def ask(request: Awaitable[Reply], answer: type[T]) -> T:
    """The decoded answer. Raises HubRefusalError for a verdict and NoAnswerError for anything else."""
    judged = judge(await request, answer)
    if isinstance(judged, HubRefusal):
        raise HubRefusalError(judged)
    if isinstance(judged, NoVerdict):
        raise NoAnswerError("hub_unreachable", judged.message, judged.retry_after_s)
    return judged


async def describe(client: HubClient) -> ContractDescription:
    """The hub's contract, checked against ours. Raises NoAnswerError, or HubRefusedForGoodError: no common version."""
    reply = await client.get("/v1/contract")
    description = judge(reply, ContractDescription)
    if isinstance(description, HubRefusal):
        raise HubRefusalError(description)
    if isinstance(description, NoVerdict):
        raise _not_the_listener(client.url, reply, description)
    try:
        oldest, newest = Version.parse(description.oldest), Version.parse(description.newest)
    except ValueError as error:
        raise _not_the_listener(client.url, reply, NoVerdict(str(error), None)) from error
    if best_common(oldest, newest) is None:
        raise HubRefusedForGoodError(
            "unsupported_version",
            f"the hub speaks contract {oldest} to {newest}, this spoke {CONTRACT}",
            problems.UNSUPPORTED_VERSION.remedy,
        )
    return description


def _not_the_listener(url: str, reply: Reply, answer: NoVerdict) -> NoAnswerError:
    """Every hub describes its contract to anyone who asks where spokes are to send; whoever does not is another."""
    if reply.status >= _SERVER_ERROR:
        return NoAnswerError("hub_unreachable", f"{url}: {answer.message}", answer.retry_after_s)
    return NoAnswerError(
        "not_spoke_listener",
        f"something answers at {url}, but it is not a hub's spoke listener: {answer.message}",
        answer.retry_after_s,
        remedy="Give --hub the address the hub prints as spokes_url (port 7946 by default); API, metrics and "
        "proxies have other ones.",
    )


Identity = ClusterIdentity | NodeIdentity
"""Who enrols: the spoke of a cluster, or an agent of a node."""


async def enrol(client: HubClient, store: IdentityStore, who: Identity, join_token: str) -> Registration:
    """Enrol and remember the registration, pending or active. Raises HubRefusalError or NoAnswerError.

    Safe to repeat with the same token and key: a lost answer must not cost the token.
    """
    public_key = await store.public_key()
    path, request = _enrolment(who, join_token, public_key)
    answer = await ask(client.post(path, msgspec.json.encode(request)), EnrolAnswer)
    registration = Registration(
        registration=answer.registration,
        hub_id=answer.hub_id,
        cluster_uid=who.uid if isinstance(who, ClusterIdentity) else "",
        cluster_name=answer.cluster_name,
        token_sha256=token_sha256(join_token),
        node_name=who.name if isinstance(who, NodeIdentity) else "",
    )
    store.remember(registration)
    if answer.notice:
        _log.warning(answer.notice)
    _log.info("enrolled", extra={"registration": answer.registration, "state": answer.state})
    return registration


def _enrolment(who: Identity, join_token: str, public_key: str) -> tuple[str, msgspec.Struct]:
    """Where to ask, and what."""
    if isinstance(who, NodeIdentity):
        return "/v1/enroll-agent", AgentEnrolRequest(
            join_token=join_token,
            public_key=public_key,
            node_name=who.name,
            spoke_version=VERSION,
            contract=str(CONTRACT),
        )
    return "/v1/enroll", EnrolRequest(
        method="token",
        join_token=join_token,
        public_key=public_key,
        cluster_uid=who.uid,
        cluster_name=who.name,
        spoke_version=VERSION,
        contract=str(CONTRACT),
        kubernetes_version=who.kubernetes_version,
        api_ca_sha256=who.api_ca_sha256,
        node_count=who.node_count,
        machines=who.machines,
        way=who.way,
    )


def token_sha256(join_token: str) -> str:
    """What of a join token may be stored."""
    return hashlib.sha256(join_token.encode()).hexdigest() if join_token else ""


class Session:
    """Credentials of one registration."""

    def __init__(self, client: HubClient, store: IdentityStore, registration: Registration, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._key = store.held_key()
        self._clock = clock
        self._credential = ""
        self._renew_at_us = 0
        self._busy = asyncio.Lock()
        self._is_doubted = False
        self.registration = registration

    async def bearer(self) -> str:
        """A credential that is not due for renewal. Raises HubRefusalError, NoAnswerError, SpokeError (foreign hub)."""
        # One renewal at a time: both lanes and the heartbeat find an old credential at the same moment.
        async with self._busy:
            if not self._credential or self._clock.monotonic_us() >= self._renew_at_us:
                await self._renew()
            return self._credential

    def reject(self, credential: str) -> None:
        """The hub did not take `credential`: the next `bearer` gets a new one."""
        if credential == self._credential:
            self._credential = ""

    async def _renew(self) -> None:
        mine = self.registration
        # Every time: what answers at this address may be another hub by now, or the same one in another release.
        hub = await describe(self._client)
        check_hub(mine, hub.hub_id)
        body = msgspec.json.encode(ChallengeRequest(registration=mine.registration))
        challenge = await ask(self._client.post("/v1/challenge", body), Challenge)
        proof = proof_bytes(mine.hub_id, mine.registration, challenge.nonce)
        request = CredentialRequest(
            registration=mine.registration,
            nonce=challenge.nonce,
            signature=await self._store.signature(self._key, proof),
        )
        try:
            credential = await ask(self._client.post("/v1/credential", msgspec.json.encode(request)), Credential)
        except HubRefusalError as error:
            if self._is_forgotten(error.refusal):
                raise ForgottenError(
                    "forgotten", "the hub does not know this agent any more", "Start it again with a join token."
                ) from error
            raise
        self._is_doubted = False
        if not _is_token(credential.credential):
            raise NoAnswerError("hub_unreachable", "the hub's credential is no bearer token")
        self._credential = credential.credential
        # Two times of the hub's clock make a span; our own wall clock may be wrong by hours.
        span_us = credential.renew_after_us - hub.time_us
        self._renew_at_us = self._clock.monotonic_us() + min(max(span_us, _SOONEST_US), _LATEST_US)
        _log.info("credential renewed")

    def _is_forgotten(self, refusal: HubRefusal) -> bool:
        """Of an agent of a node, refused twice: once may be a challenge that got lost."""
        is_refused = bool(self.registration.node_name) and refusal.problem is problems.PROOF_REFUSED
        was_doubted, self._is_doubted = self._is_doubted, is_refused
        return is_refused and was_doubted


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
