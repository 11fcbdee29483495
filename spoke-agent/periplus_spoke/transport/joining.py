"""Become, or stay, a registration of the hub."""

import random
from dataclasses import dataclass
from typing import Final

from periplus_contract import problems
from periplus_contract.problems import Verdict
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.kit.backoff import Backoff
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.errors import ConfigError, HubRefusedForGoodError
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE
from periplus_spoke.transport.client import HubClient, NoAnswerError
from periplus_spoke.transport.identity import IdentityStore, Registration, check_hub
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.session import HubRefusalError, Identity, Session, describe, enrol, token_sha256
from periplus_spoke.transport.verdicts import HubRefusal

_KEEPS_TRYING: Final = "Nothing: the spoke tries again."
_LOST: Final = (problems.REVOKED, problems.PROOF_REFUSED)


@dataclass(frozen=True, kw_only=True)
class Joining:
    """What joining needs."""

    client: HubClient
    store: IdentityStore
    join_token: str
    why_no_token: str
    report: Report
    timer: Timer
    rng: random.Random

    async def stay(self, stored: Registration) -> bool:
        """Whether the stored registration is still good; also when the hub cannot be asked.

        It is not when the hub has ended it and a join token is given that was not used for it, or that is for many, as
        that of an agent of a node: then enrol again. Raises SpokeError when another hub answers.
        """
        try:
            check_hub(stored, (await describe(self.client)).hub_id)
            is_used_up = not stored.node_name and token_sha256(self.join_token) == stored.token_sha256
            if self.join_token and not is_used_up:
                await Session(self.client, self.store, stored, self.timer).bearer()
        except NoAnswerError as error:
            self.report.trouble(error.reason, error.message, error.remedy or _KEEPS_TRYING)
        except HubRefusalError as error:
            return error.refusal.problem not in _LOST
        return True

    async def enrol(self, who: Identity) -> Registration:
        """Enrol, however long the hub cannot be reached. Raises HubRefusedForGoodError or ConfigError."""
        if not self.join_token:
            of_agents = " --agents-of CLUSTER" if isinstance(who, NodeIdentity) else ""
            raise ConfigError(
                "no_join_token",
                f"this spoke is not enrolled and has {self.why_no_token}",
                f"Create one with 'periplus join-token create{of_agents}' and give it by --join-token-file "
                f"or {JOIN_TOKEN_VARIABLE}.",
            )
        backoff = Backoff(self.rng)
        while True:
            try:
                await describe(self.client)
                return await enrol(self.client, self.store, who, self.join_token)
            except HubRefusalError as error:
                wait_s = backoff.next_s(self._retry_after(error.refusal))
            except NoAnswerError as error:
                self.report.trouble(error.reason, error.message, error.remedy or _KEEPS_TRYING)
                wait_s = backoff.next_s(error.retry_after_s)
            await self.timer.sleep(wait_s)

    def _retry_after(self, refusal: HubRefusal) -> float | None:
        if refusal.problem.verdict is Verdict.RETRY:
            self.report.trouble(refusal.reason, refusal.message, refusal.problem.remedy)
            return refusal.retry_after_s
        raise HubRefusedForGoodError(refusal.reason, refusal.message, refusal.problem.remedy)
