"""Who this spoke is: the key it made itself, and the registration the hub gave it. Both live in the state folder."""

import base64
import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from periplus_spoke.kit.crashpoint import crashpoint
from periplus_spoke.kit.errors import SpokeError

_KEY_NAME: Final = "identity.key"
_REGISTRATION_NAME: Final = "registration.json"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What enrolment ended in."""

    registration: str
    hub_id: str
    cluster_uid: str
    cluster_name: str
    token_sha256: str = ""
    """Of the join token used, so that a newer one is recognised as such."""


class IdentityStore:
    """Key and registration on disk, readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def key(self) -> Ed25519PrivateKey:
        """The key; made and stored durably at first use. Raises SpokeError when its file is damaged."""
        path = self._folder / _KEY_NAME
        try:
            raw = base64.b64decode(path.read_bytes(), validate=True)
            return Ed25519PrivateKey.from_private_bytes(raw)
        except FileNotFoundError:
            pass
        except ValueError:
            raise _damaged(path) from None
        key = Ed25519PrivateKey.generate()
        self._store(_KEY_NAME, base64.b64encode(key.private_bytes_raw()))
        return key

    def registration(self) -> Registration | None:
        """The stored registration. Raises SpokeError when its file is damaged."""
        path = self._folder / _REGISTRATION_NAME
        try:
            return msgspec.json.decode(path.read_bytes(), type=Registration)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _damaged(path) from None

    def remember(self, registration: Registration) -> None:
        """Store the registration durably."""
        crashpoint("enrol_before_store")
        self._store(_REGISTRATION_NAME, msgspec.json.encode(registration))

    def _store(self, name: str, content: bytes) -> None:
        temporary = self._folder / (name + ".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        crashpoint("identity_before_rename")
        temporary.rename(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_cluster(registration: Registration, cluster_uid: str) -> None:
    """Refuse a state folder that belongs to another cluster."""
    if registration.cluster_uid != cluster_uid:
        raise SpokeError(
            "foreign_state",
            f"the state folder belongs to cluster {registration.cluster_name!r} ({registration.cluster_uid}), "
            f"this cluster is {cluster_uid}",
            "Give each cluster its own --state-dir; start with an empty one to enrol this cluster.",
        )


def check_hub(registration: Registration, hub_id: str) -> None:
    """Refuse a hub that is not the one enrolled at."""
    if registration.hub_id != hub_id:
        raise SpokeError(
            "foreign_hub",
            f"the state folder is enrolled at hub {registration.hub_id}, the hub at this address is {hub_id}",
            "Point --hub at the hub enrolled at, or start with an empty --state-dir and a new join token.",
        )


def _damaged(path: Path) -> SpokeError:
    return SpokeError(
        "damaged_state",
        f"{path} is damaged",
        f"Remove {path.name} and start with a new join token; batches in the outbox are kept.",
    )
