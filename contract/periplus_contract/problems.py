"""Problem types: the hub's signed verdicts.

Only an `application/problem+json` answer whose `type` is one of these is a verdict. Everything else a spoke meets
(a proxy's HTML, an ingress's 404) is transient and retried without end.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

CONTENT_TYPE: Final = "application/problem+json"
PREFIX: Final = "urn:periplus:problem:"


class Verdict(StrEnum):
    """What the spoke does next."""

    DEAD_LETTER = "dead-letter"
    """Set the batch aside (bounded), count it, go on."""
    RENEW = "renew"
    """Get a new credential, then retry the same bytes."""
    HOLD = "hold"
    """Stop sending, keep collecting within the outbox's bounds, ask again slowly."""
    SPLIT = "split"
    """Halve the batch and send the halves."""
    RESNAPSHOT = "resnapshot"
    """Drop what is queued of this kind and state everything afresh."""
    NEW_EPOCH = "new-epoch"
    """Another writer used this identity: start a new epoch with a snapshot and raise a condition."""
    RETRY = "retry"
    """Back off (honour Retry-After) and send the same bytes again."""


class ProblemType(NamedTuple):
    """One entry of the registry; `remedy` is what a person should do."""

    slug: str
    status: int
    verdict: Verdict
    title: str
    remedy: str

    @property
    def uri(self) -> str:
        """The `type` member on the wire."""
        return PREFIX + self.slug


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 body."""

    type: str
    title: str
    status: int
    detail: str = ""
    remedy: str = ""


MALFORMED_BATCH: Final = ProblemType(
    "malformed-batch", 400, Verdict.DEAD_LETTER, "The batch is damaged", "Upgrade the spoke, or look at its disk."
)
MALFORMED_MESSAGE: Final = ProblemType(
    "malformed-message", 400, Verdict.DEAD_LETTER, "The message does not decode", "Upgrade the spoke."
)
INVALID_BATCH: Final = ProblemType(
    "invalid-batch", 422, Verdict.DEAD_LETTER, "The batch breaks the contract", "Upgrade the spoke."
)
UNAUTHENTICATED: Final = ProblemType(
    "unauthenticated", 401, Verdict.RENEW, "The credential is missing, unknown or expired", "Renew the credential."
)
PROOF_REFUSED: Final = ProblemType(
    "proof-refused",
    403,
    Verdict.HOLD,
    "The proof of identity is not accepted",
    "Create a new join token with 'periplus join-token create', for agents of nodes with --agents-of, and give it to "
    "the spoke.",
)
PENDING: Final = ProblemType(
    "pending-approval",
    403,
    Verdict.HOLD,
    "The registration waits for approval",
    "Approve it with 'periplus clusters approve'.",
)
REVOKED: Final = ProblemType(
    "revoked",
    403,
    Verdict.HOLD,
    "The registration is revoked",
    "Enrol again with a new join token; an agent of a node also with an empty state folder.",
)
WRONG_IDENTITY: Final = ProblemType(
    "wrong-identity",
    403,
    Verdict.HOLD,
    "The batch names another registration than its credential",
    "Give each cluster its own state folder.",
)
BATCH_CONFLICT: Final = ProblemType(
    "batch-conflict",
    409,
    Verdict.NEW_EPOCH,
    "Another batch with this epoch and seq is already here",
    "Make sure only one spoke runs per cluster.",
)
INVENTORY_GAP: Final = ProblemType(
    "inventory-gap",
    409,
    Verdict.RESNAPSHOT,
    "The delta does not follow the last inventory batch",
    "Nothing: the spoke sends a fresh snapshot.",
)
IPAM_GAP: Final = ProblemType(
    "ipam-gap",
    409,
    Verdict.RESNAPSHOT,
    "An earlier part of this ipam statement is missing",
    "Nothing: the spoke states everything again.",
)
NAME_TAKEN: Final = ProblemType(
    "name-taken",
    409,
    Verdict.HOLD,
    "Another cluster has this name",
    "Start the spoke with another --cluster-name, or revoke the other registration.",
)
BAD_NAME: Final = ProblemType(
    "bad-name",
    422,
    Verdict.HOLD,
    "No cluster can have this name",
    "Start the spoke with another --cluster-name.",
)
NODE_HAS_AGENT: Final = ProblemType(
    "node-has-agent",
    409,
    Verdict.RETRY,
    "Another agent of this node is being heard",
    "Nothing where the old agent has just ended; else run one agent on each node, or revoke the other one.",
)
TOO_MANY_AGENTS: Final = ProblemType(
    "too-many-agents",
    409,
    Verdict.HOLD,
    "The cluster has as many agents as it may have",
    "See in 'periplus agents list CLUSTER' names that are no nodes; withdraw their join token, revoke them.",
)
NOT_OF_AGENTS: Final = ProblemType(
    "not-of-agents",
    403,
    Verdict.DEAD_LETTER,
    "An agent of a node may not send this batch",
    "Run an agent on each node and the spoke in the cluster: each tells only of its own.",
)
TOO_LARGE: Final = ProblemType(
    "too-large", 413, Verdict.SPLIT, "The batch exceeds a limit of the wire", "Nothing: the spoke splits it."
)
UNSUPPORTED_VERSION: Final = ProblemType(
    "unsupported-version", 415, Verdict.HOLD, "The contract version is not accepted", "Upgrade the older side."
)
UNSUPPORTED_KIND: Final = ProblemType(
    "unsupported-kind", 415, Verdict.HOLD, "This hub does not take this kind of batch", "Upgrade the hub."
)
SLOW_DOWN: Final = ProblemType(
    "slow-down", 429, Verdict.RETRY, "This spoke sends faster than its share", "Nothing: the spoke waits."
)
OVERLOADED: Final = ProblemType(
    "overloaded", 503, Verdict.RETRY, "The hub cannot take this now", "Look at the hub's readiness."
)

ALL: Final = (
    MALFORMED_BATCH,
    MALFORMED_MESSAGE,
    INVALID_BATCH,
    UNAUTHENTICATED,
    PROOF_REFUSED,
    PENDING,
    REVOKED,
    WRONG_IDENTITY,
    BATCH_CONFLICT,
    INVENTORY_GAP,
    IPAM_GAP,
    NAME_TAKEN,
    BAD_NAME,
    NODE_HAS_AGENT,
    TOO_MANY_AGENTS,
    NOT_OF_AGENTS,
    TOO_LARGE,
    UNSUPPORTED_VERSION,
    UNSUPPORTED_KIND,
    SLOW_DOWN,
    OVERLOADED,
)
_BY_URI: Final = {problem.uri: problem for problem in ALL}


def by_uri(uri: str) -> ProblemType | None:
    """The registered type, or None: then the answer is not a verdict."""
    return _BY_URI.get(uri)
