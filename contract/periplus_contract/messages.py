"""JSON messages of enrolment, credentials, heartbeats and answers. Unknown fields are ignored by both sides.

    GET  /v1/contract     -> ContractDescription                                 (no authentication)
    POST /v1/enroll       EnrolRequest -> EnrolAnswer                            (join token inside)
    POST /v1/enroll-agent AgentEnrolRequest -> EnrolAnswer                       (join token for agents inside)
    POST /v1/challenge    ChallengeRequest -> Challenge                          (no authentication, says nothing)
    POST /v1/credential   CredentialRequest -> Credential                        (proof inside)
    POST /v1/batches      a sealed batch, application/vnd.periplus.batch -> BatchAnswer   (Bearer credential)
    POST /v1/heartbeat    Heartbeat -> HeartbeatAnswer                           (Bearer credential)

How a spoke joins: it makes an Ed25519 key, which must not be of small order, and enrols with it. Then, now and before
each credential ends, it asks for a challenge, signs it and asks for a credential. While a person has yet to approve the
cluster, that last request is answered with the problem `pending-approval` and with `Retry-After`: the spoke asks again
then, with a fresh challenge, for a nonce is good once. Enrolling again with the same key and join token answers as the
first time did, so an answer that got lost costs nothing.

An agent of a node joins likewise, with a join token that a person made for the agents of one cluster. The token says
which cluster that is, so the agent needs no API server and waits for nobody. From then on its id stands wherever a
spoke's registration does: in challenge, proof and credential, and in the header of its batches.
"""

from typing import Final, Literal

import msgspec

from periplus_contract.outcomes import Outcome

BATCH_CONTENT_TYPE: Final = "application/vnd.periplus.batch"
PROOF_CONTEXT: Final = b"periplus credential proof v1\n"
MAX_FACT_CHARS: Final = 256
"""So long is each uid, version and hash of an EnrolRequest at most."""


class KindDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One kind and the tables this hub takes for it; no tables means not taken yet."""

    kind: str
    tables: tuple[str, ...]


class ContractDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What this hub speaks."""

    oldest: str
    newest: str
    kinds: tuple[KindDescription, ...]
    max_compressed_bytes: int
    max_inflated_bytes: int
    max_rows: int
    hub_id: str
    time_us: int


class EnrolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A spoke asks to join. The hub names the registration; `cluster_name` is only a wish."""

    method: Literal["token"]
    join_token: str
    """`id.secret`."""
    public_key: str
    """Raw Ed25519 public key, base64."""
    cluster_uid: str
    """kube-system namespace uid. It, the versions and the hashes are facts (`is_fact`); empty is unknown."""
    cluster_name: str
    spoke_version: str
    contract: str
    kubernetes_version: str = ""
    api_ca_sha256: str = ""
    node_count: int = 0
    machines: tuple[str, ...] = ()
    """`uid=address` for each InternalIP of a node that is ready, of the first by name. Two ways to one cluster show the
    same, a copy of the cluster shows others. Empty where nodes cannot be listed."""
    way: str = ""
    """A hash of the place a spoke asks from and of the API server's address, proxy and authority: equal ones lead to
    one cluster. Empty where the place has no name, as in a pod: its API server has one address in every copy."""


class AgentEnrolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An agent of one node asks to join the cluster that its join token is for."""

    join_token: str
    """`id.secret`. Good for many agents, of one cluster."""
    public_key: str
    """Raw Ed25519 public key, base64."""
    node_name: str
    """As Kubernetes calls the node. A node has one agent: another one is refused while that is heard, and else takes
    its place."""
    spoke_version: str
    contract: str


class EnrolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The registration, or the agent, this key now belongs to."""

    registration: str
    """Of an agent, its own id."""
    cluster_name: str
    state: Literal["pending", "active"]
    hub_id: str
    poll_after_s: int
    notice: str = ""
    """For people: what is not as the spoke asked, and why. Empty when all is."""


class ChallengeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for something fresh to sign. Answered for unknown registrations too."""

    registration: str


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """Single use, two minutes."""

    nonce: str


class CredentialRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh proof: Ed25519 over `proof_bytes`, with the key given at enrolment."""

    registration: str
    nonce: str
    signature: str
    """Base64."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer credential for this registration or agent, at most 24 h; renewed only with a fresh proof."""

    credential: str
    expires_at_us: int
    renew_after_us: int


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How the hub wants to be sent to."""

    max_in_flight: int = 2
    min_interval_ms: int = 0


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The batch is committed. Delete files only up to `settled_through` of the named epoch."""

    result: Literal["accepted", "duplicate"]
    epoch: str
    settled_through: int
    rejected: dict[str, int] = {}
    pace: Pace = Pace()
    time_us: int = 0
    wants_snapshot: bool = False
    newest_epoch: str = ""
    """The latest epoch this registration's inventory was taken from; empty when there is none yet. A spoke whose own is
    earlier is not alone, or starts from an old copy of its folder: it is heard again only in a later one."""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Sent when a spoke has been quiet; keeps liveness, clock skew and the settled watermark moving."""

    epoch: str
    last_seq: int
    oldest_held_seq: int
    queued_batches: int
    queued_bytes: int
    wall_us: int
    monotonic_us: int
    spoke_version: str
    outcomes: tuple[Outcome, ...] = ()


class HeartbeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """As BatchAnswer, without a batch."""

    epoch: str
    settled_through: int
    pace: Pace = Pace()
    time_us: int = 0
    wants_snapshot: bool = False
    newest_epoch: str = ""


def is_fact(text: str) -> bool:
    """Whether a hub takes it as a uid, a version or a hash of an EnrolRequest."""
    return len(text) <= MAX_FACT_CHARS and text.isprintable()


def proof_bytes(hub_id: str, registration: str, nonce: str) -> bytes:
    """The exact bytes a spoke signs: bound to this hub, this registration and this challenge."""
    return PROOF_CONTEXT + "\n".join((hub_id, registration, nonce)).encode()
