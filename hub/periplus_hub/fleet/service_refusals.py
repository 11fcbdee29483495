"""What who is refused at the spokes' listener is told, and what the audit trail keeps of it.

Answers to strangers do not tell whether a registration exists.
"""

from typing import Any, Final

from sqlalchemy import Row

from periplus_contract import problems
from periplus_contract.version import CONTRACT, Version, accepts
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.fleet import repository_enrolment as store
from periplus_hub.fleet import secrets
from periplus_hub.fleet.model import State
from periplus_hub.fleet.proofs import KEY_BYTES, decode_base64, is_of_small_order
from periplus_hub.kit.db import ReadConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

POLL_AFTER_S: Final = 15
"""How often who waits for a person asks again."""
_JOINING: Final = "spoke:join-token:refuse"


def refuse_unless_active(state: str, who: str, why_pending: str = "") -> None:
    """Raise the problem of one that may not send; `who` begins the sentence."""
    if state == State.PENDING.value:
        detail = why_pending or f"{who} waits for approval"
        raise SpokeRequestRefusal(problems.PENDING, detail, retry_after_s=POLL_AFTER_S)
    if state != State.ACTIVE.value:
        raise SpokeRequestRefusal(problems.REVOKED, f"{who} is revoked")


async def known_token(c: ReadConnection, text: str) -> Row[Any]:
    """The join token, used, expired or not; raises proof-refused."""
    parsed = secrets.parse(text)
    token = None if parsed is None else await store.system_token_by_public_id(c, parsed[0])
    if parsed is None or token is None:
        raise proof_refused("the join token is not known here", RefusedAttempt(_JOINING, "unknown join token"))
    if not secrets.matches(parsed[1], token.secret_sha256):
        raise proof_refused("the join token is not known here", of_token(token, "wrong secret"))
    return token


def check_key(public_key: str) -> None:
    """Raise malformed-message for what is no key, or one under which anybody can sign."""
    key = decode_base64(public_key, KEY_BYTES)
    if key is None:
        raise malformed("public_key must be 32 bytes in base64")
    if is_of_small_order(key):
        raise malformed("public_key is of small order: anybody could sign with it")


def check_contract(text: str) -> None:
    """Raise malformed-message or unsupported-version."""
    try:
        version = Version.parse(text)
    except ValueError as error:
        raise malformed(str(error)) from error
    if not accepts(version):
        detail = f"contract {text[:32]} is not accepted; this hub is {CONTRACT}"
        raise SpokeRequestRefusal(problems.UNSUPPORTED_VERSION, detail)


def malformed(detail: str) -> SpokeRequestRefusal:
    """A message that decodes and cannot be taken."""
    return SpokeRequestRefusal(problems.MALFORMED_MESSAGE, detail)


def proof_refused(detail: str, audited: RefusedAttempt | None) -> SpokeRequestRefusal:
    """A token or proof that is no good."""
    return SpokeRequestRefusal(problems.PROOF_REFUSED, detail, audited=audited)


def of_token(token: Row[Any], reason: str) -> RefusedAttempt:
    """For the trail, about a join token that is known."""
    return RefusedAttempt(_JOINING, reason, "JoinToken", str(token.id), token.tenant_id)
