"""What the machine tells: room, modes of folders and files, the certificate."""

import os
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import Check, State, unknown
from periplus_hub.backups.kept import whole_backups
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.own_files import why_not_ours

SOON: Final = timedelta(days=14)
_LITTLE, _TOO_LITTLE = 0.10, 0.03
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LATE: Final = timedelta(hours=2)
"""What a backup may take from when it was due."""
_AS_THE_HUB: Final = "Run this as the account of the hub."


def machine(config: HubConfig, now: datetime) -> Iterator[Check]:
    """Every check of it."""
    if config.embedded or config.flow_store_url is None:
        yield disk("disk", config.data_dir)
        yield folders(config.data_dir)
    if (flows := _folder_of_flows(config)) is not None and not flows.is_relative_to(config.data_dir.absolute()):
        yield disk("flow-disk", flows)
    yield certificate(config, now)
    yield backups(config, now)


def _folder_of_flows(config: HubConfig) -> Path | None:
    """None where a server has them."""
    store = urlsplit(config.flow_store)
    return Path(store.path) if store.scheme == "chdb" else None


def disk(name: str, folder: Path) -> Check:
    """The room where the hub keeps its data, or the engine in its process its flows."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return unknown(name, f"{folder}: {error.strerror}", "Name the folder with --data-dir, or flow_store_url.")
    free = usage.free / usage.total
    state = State.FAILED if free < _TOO_LITTLE else State.WARNING if free < _LITTLE else State.OK
    found = f"{usage.free / 1e9:,.1f} of {usage.total / 1e9:,.1f} GB are free ({free:.0%}) for {folder}"
    return Check(name, state, found, "" if state is State.OK else "Free some space, or give the volume more.")


def folders(folder: Path) -> Check:
    """Nobody else reads or changes what the hub keeps."""
    try:
        wrong = [why for path, mode in _private(folder) if (why := _why_open(path, mode))]
    except OSError as error:
        return unknown("folders", f"{error.filename}: {error.strerror}", _AS_THE_HUB)
    if wrong:
        return Check("folders", State.FAILED, "; ".join(wrong), "Take the rights of others away with chmod and chown.")
    return Check("folders", State.OK, f"nobody but their owner reads or changes what is in {folder}")


def _private(folder: Path) -> Iterator[tuple[Path, int]]:
    """What of the data folder may be open for whom: the bits that must not be set."""
    yield folder, stat.S_IWGRP | stat.S_IWOTH
    for name in ("postgres", "admin-token"):
        if os.path.lexists(folder / name):
            yield folder / name, _OTHERS


def _why_open(path: Path, forbidden: int) -> str:
    found = path.lstat()
    if found.st_mode & forbidden:
        return f"{path} has mode {stat.S_IMODE(found.st_mode):04o}"
    return f"{path} {why}" if path.name != "postgres" and (why := why_not_ours(found)) else ""


def certificate(config: HubConfig, now: datetime) -> Check:
    """Of the listeners; its key is private."""
    name, path, key = "certificate", config.tls_certificate, config.tls_key
    if path is None or key is None:
        return Check(name, State.OK, "the listeners have none: they are on loopback, or behind a proxy")
    try:
        ends = x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError as error:
        return unknown(name, f"{error.filename}: {error.strerror}", _AS_THE_HUB)
    except (ValueError, IndexError) as error:
        return Check(name, State.FAILED, f"{path} holds no certificate: {error}", "Give tls_certificate a PEM file.")
    if mode & stat.S_IRWXO:
        return Check(name, State.FAILED, f"{key} has mode {mode:04o}", f"chmod o= {key}, and renew the key.")
    if ends <= now:
        return Check(name, State.FAILED, f"{path} expired at {ends:%Y-%m-%d %H:%M} UTC", "Renew it.")
    left = f"{path} is valid until {ends:%Y-%m-%d}, {(ends - now).days} days"
    if ends - now < SOON:
        return Check(name, State.WARNING, left, "Renew it: spokes and people stop connecting when it has expired.")
    return Check(name, State.OK, left)


def backups(config: HubConfig, now: datetime) -> Check:
    """Whether the newest scheduled one is not older than it should be."""
    name, folder = "backups", config.backup_folder
    if folder is None:
        return Check(name, State.OK, "the hub takes none by itself: backup_folder is not set")
    try:
        kept = whole_backups(folder)
    except Refusal as refusal:
        return unknown(name, refusal.message, f"{_AS_THE_HUB} Where 'periplus hub work' runs, it has the folder.")
    remedy = "Look for backup_failed in the log of the hub that leads."
    if not kept:
        return Check(name, State.FAILED, f"there is no whole backup in {folder}", remedy)
    if len({each.hub_id for each in kept}) > 1:
        found = f"{folder} has backups of several hubs, and which are of this one is not known here"
        return unknown(name, found, "Give each hub a folder of its own (backup_folder).")
    newest, due = kept[-1].started_at, config.backups_due.last(now)
    found = f"{len(kept)} in {folder}, the newest of {newest:%Y-%m-%d %H:%M} UTC"
    if due is not None and newest < due and now - due > _LATE:
        return Check(name, State.FAILED, f"{found}; one was due at {due:%Y-%m-%d %H:%M} UTC", remedy)
    return Check(name, State.OK, found)
