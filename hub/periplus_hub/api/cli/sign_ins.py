"""What a person's commands were given when they signed in: one file for each hub, which only they can read."""

import base64
import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.folders import sign_ins_dir
from periplus_hub.kit.own_files import open_own, read_own, write_private

_NAME_CHARS: Final = 32
_JWT_PARTS: Final = 3


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """At one hub."""

    hub: str
    issuer: str
    client_id: str
    token_endpoint: str
    revocation_endpoint: str
    shows_id_token: bool
    token: str
    """What is shown to the hub."""
    ends_at_s: float
    """As a Unix time."""
    refresh_token: str = ""


class _Ends(msgspec.Struct):
    exp: float


def same_hub(url: str) -> str:
    """A hub's URL as it is kept."""
    return url.rstrip("/")


def file_of(url: str) -> Path:
    """Where the sign-in at a hub is kept. URLs hold what no file's name may."""
    digest = hashlib.sha256(same_hub(url).encode()).hexdigest()
    return sign_ins_dir() / f"{digest[:_NAME_CHARS]}.json"


def stored(url: str) -> SignIn | None:
    """None where there is none; raises Refusal for one that cannot be used."""
    path = file_of(url)
    try:
        found = msgspec.json.decode(read_own(path).encode(), type=SignIn)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", "Remove it, and run 'periplus login'.") from error
    except msgspec.DecodeError as error:
        raise Refusal(f"{path} is no sign-in", "Remove it, and run 'periplus login'.") from error
    return found if found.hub == same_hub(url) else None


def keep(found: SignIn) -> None:
    """Instead of the one before; raises Refusal."""
    path = file_of(found.hub)
    _make_folder(path.parent)
    write_private(path, msgspec.json.encode(found).decode())


def forget(url: str) -> None:
    """Raises Refusal."""
    path = file_of(url)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(f"{path} cannot be removed: {error.strerror}", "Remove it yourself: it holds a token.") from error


@contextlib.contextmanager
def alone(url: str) -> Iterator[None]:
    """No other command renews this sign-in meanwhile: issuers take a second use of a refresh token for a theft."""
    path = file_of(url).with_suffix(".lock")
    _make_folder(path.parent)
    try:
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise Refusal(f"{path} cannot be used: {error.strerror}", "Remove it.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def end_of(token: str) -> float | None:
    """When it says of itself that it ends, as a Unix time. Nobody checks it here: the hub does."""
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(payload, type=_Ends).exp
    except (ValueError, msgspec.DecodeError):
        return None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{folder} cannot be made: {error.strerror}", "Check XDG_CONFIG_HOME and its rights.") from error
