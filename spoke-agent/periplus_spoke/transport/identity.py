"""Who this spoke is: the key it made itself, and the registration the hub gave it. Both live in the state folder."""

import base64
from pathlib import Path
from typing import Final

import msgspec

from periplus_spoke.kit.crashpoint import crashpoint
from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.kit.own_files import read_own, sync_folder, write_own
from periplus_spoke.transport.signing import Signer, sign_apart

_KEY_NAME: Final = "identity.key"
_KEY_BYTES: Final = 32
_REGISTRATION_NAME: Final = "registration.json"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What enrolment ended in."""

    registration: str
    hub_id: str
    cluster_uid: str
    cluster_name: str
    token_sha256: str = ""
    """Of the join token used, so that a newer one is recognised as such."""
    node_name: str = ""
    """Of an agent of a node; then `registration` is the agent's own id, and `cluster_uid` is not known."""


class IdentityStore:
    """Key and registration on disk, readable by their owner only."""

    def __init__(self, folder: Path, sign: Signer = sign_apart) -> None:
        self._folder = folder
        self._sign = sign

    def key(self) -> str:
        """The private key in base64; empty when there is none yet. Raises SpokeError when its file is damaged."""
        path = self._folder / _KEY_NAME
        try:
            key = read_own(path).decode("ascii")
            raw = base64.b64decode(key, validate=True)
        except FileNotFoundError:
            return ""
        except ValueError:
            raise _damaged(path) from None
        except OSError as error:
            raise _unusable(path, error) from error
        if len(raw) != _KEY_BYTES:
            raise _damaged(path)
        return key

    async def public_key(self) -> str:
        """The public key in base64; made, and stored durably, at first use. Raises SpokeError."""
        known = self.key()
        signed = await self._sign(known, b"")
        if not known:
            self._store(_KEY_NAME, signed.private.encode())
        return signed.public

    def held_key(self) -> str:
        """The private key of a spoke that has enrolled. Raises SpokeError when it is damaged or missing."""
        key = self.key()
        if not key:
            raise _damaged(self._folder / _KEY_NAME)
        return key

    async def signature(self, key: str, message: bytes) -> str:
        """Over `message`, in base64. Raises SpokeError."""
        return (await self._sign(key, message)).signature

    def registration(self) -> Registration | None:
        """The stored registration. Raises SpokeError when its file is damaged."""
        path = self._folder / _REGISTRATION_NAME
        try:
            return msgspec.json.decode(read_own(path), type=Registration)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _damaged(path) from None
        except OSError as error:
            raise _unusable(path, error) from error

    def remember(self, registration: Registration) -> None:
        """Store the registration durably."""
        crashpoint("enrol_before_store")
        self._store(_REGISTRATION_NAME, msgspec.json.encode(registration))

    def _store(self, name: str, content: bytes) -> None:
        try:
            self._write(name, content)
        except OSError as error:
            raise _unusable(self._folder / name, error) from error

    def _write(self, name: str, content: bytes) -> None:
        temporary = self._folder / (name + ".tmp")
        write_own(temporary, content)
        crashpoint("identity_before_rename")
        temporary.rename(self._folder / name)
        sync_folder(self._folder)


def check_cluster(registration: Registration, cluster_uid: str) -> None:
    """Refuse a state folder that belongs to another cluster."""
    if registration.cluster_uid != cluster_uid:
        raise SpokeError(
            "foreign_state",
            f"the state folder belongs to cluster {registration.cluster_name!r} ({registration.cluster_uid}), "
            f"this cluster is {cluster_uid}",
            "Give each cluster its own --state-dir; start with an empty one to enrol this cluster.",
        )


def check_node(registration: Registration, node_name: str) -> None:
    """Refuse a state folder of a cluster's spoke, or of another node, as in a copied disk."""
    if registration.node_name == node_name:
        return
    owner = f"node {registration.node_name!r}" if registration.node_name else "the spoke"
    raise SpokeError(
        "foreign_state",
        f"the state folder belongs to {owner} of cluster {registration.cluster_name!r}, this is node {node_name!r}",
        "Give each node a --state-dir of its own; start with an empty one to join with this node.",
    )


def check_hub(registration: Registration, hub_id: str) -> None:
    """Refuse a hub that is not the one enrolled at."""
    if registration.hub_id != hub_id:
        raise SpokeError(
            "foreign_hub",
            f"the state folder is enrolled at hub {registration.hub_id}, the hub at this address is {hub_id}",
            "Point --hub at the hub enrolled at, or start with an empty --state-dir and a new join token.",
        )


def other_name(registration: Registration, wished: str) -> str:
    """What to tell a person who asks for another name than the hub has given; empty when there is nothing."""
    if wished in ("", registration.cluster_name):
        return ""
    return (
        f"the hub knows this cluster as {registration.cluster_name!r}: --cluster-name {wished!r} is heard only when a "
        f"spoke enrols, and not against the name its join token is bound to"
    )


def _unusable(path: Path, error: OSError) -> SpokeError:
    return SpokeError(
        "bad_state",
        f"{path} cannot be used: {error.strerror or error}",
        "Make room, or correct the owner and permissions of the state folder. The join token can be used again.",
    )


def _damaged(path: Path) -> SpokeError:
    return SpokeError(
        "damaged_state",
        f"{path} is damaged or missing",
        f"Remove {path.name} and start with a new join token; batches in the outbox are kept.",
    )
