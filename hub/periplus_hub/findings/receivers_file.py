"""The file of receivers: read once at the start, and refused whole when anything in it is wrong."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.model import FindingSeverity
from periplus_hub.findings.model_receivers import QuietHours, Receiver, ReceiverKind

MOST_RECEIVERS: Final = 100
_QUIET: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MOST_SECRET: Final = 8_192
_DETECTORS: Final = frozenset(each.name for each in DETECTORS)

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
Wait = Annotated[int, Meta(ge=0, le=86_400)]


class ReceiversFileError(ValueError):
    """The file cannot be used: which receiver, which key, and what to write instead."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[receiver]]`."""

    name: Name
    kind: ReceiverKind
    tenant: str = "default"
    url: str | None = None
    url_file: str | None = None
    severity: FindingSeverity = FindingSeverity.WARNING
    detectors: tuple[str, ...] = ()
    wait_s: Wait = 60
    quiet_hours: str | None = None
    quiet_time_zone: str = "UTC"
    quiet_severity: FindingSeverity = FindingSeverity.CRITICAL
    token_file: str | None = None
    secret_file: str | None = None


KEYS: Final = tuple(_Entry.__struct_fields__)
"""Of a receiver, in the order in which the documentation has them."""


def read_receivers(path: Path) -> tuple[Receiver, ...]:
    """All of the file; raises ReceiversFileError. A file that is named in it is read, relative to its folder."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReceiversFileError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReceiversFileError(f"{path} is not TOML: {error}") from error
    unknown = sorted(document.keys() - {"receiver"})
    if unknown:
        raise ReceiversFileError(f"{path}: there is no '{unknown[0]}' at its top: write [[receiver]] for each receiver")
    entries = document.get("receiver", [])
    if not isinstance(entries, list) or len(entries) > MOST_RECEIVERS:
        raise ReceiversFileError(f"{path}: write [[receiver]] for each receiver, at most {MOST_RECEIVERS}")
    found = tuple(_receiver(path, number, entry) for number, entry in enumerate(entries, 1))
    _all_different(path, found)
    return found


def _all_different(path: Path, receivers: Sequence[Receiver]) -> None:
    """No tenant hears of two by one name."""
    for at, each in enumerate(receivers):
        same = [other for other in receivers[:at] if other.name == each.name]
        if any(other.hears_of(each.tenant) or each.hears_of(other.tenant) for other in same):
            raise ReceiversFileError(f"{path}: two receivers of tenant '{each.tenant}' are called '{each.name}'")


def _receiver(path: Path, number: int, entry: Mapping[str, object]) -> Receiver:
    named = f"'{entry['name']}'" if isinstance(entry, dict) and isinstance(entry.get("name"), str) else f"no. {number}"
    where = f"{path}, receiver {named}"
    try:
        asked = msgspec.convert(entry, _Entry)
        return Receiver(
            name=asked.name,
            tenant=asked.tenant,
            kind=asked.kind,
            url=_url(path, asked),
            severity=asked.severity,
            detectors=_detectors(asked.detectors),
            wait=timedelta(seconds=asked.wait_s),
            quiet=_quiet(asked),
            quiet_severity=asked.quiet_severity,
            token=_secret(path, "token_file", asked.token_file),
            secret=_signing(path, asked),
        )
    except msgspec.ValidationError as error:
        known = f"; known keys are {', '.join(KEYS)}" if "unknown field" in str(error) else ""
        raise ReceiversFileError(f"{where}: {error}{known}") from error
    except ValueError as error:
        raise ReceiversFileError(f"{where}: {error}") from error


def _url(path: Path, asked: _Entry) -> str:
    if (asked.url is None) == (asked.url_file is None):
        raise ValueError("set url, or url_file with the name of a file that holds it, and not both")
    url = asked.url if asked.url is not None else _secret(path, "url_file", asked.url_file)
    key = "url" if asked.url is not None else "url_file"
    parts = _parts(url or "")
    if parts is None:
        raise ValueError(f"{key} is no URL like https://hooks.example.org/periplus, without a user name")
    if asked.kind is ReceiverKind.ALERTMANAGER and parts.query:
        raise ValueError(f"{key} of an Alertmanager is its address without a query")
    return (url or "").rstrip("/") if asked.kind is ReceiverKind.ALERTMANAGER else url or ""


def _parts(url: str) -> SplitResult | None:
    """None: it is nothing that can be called."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_good and parts.username is None and url.isascii() and url.isprintable() else None


def _detectors(names: Sequence[str]) -> tuple[str, ...]:
    unknown = [each for each in names if each not in _DETECTORS]
    if unknown:
        raise ValueError(f"there is no detector '{unknown[0]}'; known are {', '.join(sorted(_DETECTORS))}")
    return tuple(names)


def _quiet(asked: _Entry) -> QuietHours | None:
    if asked.quiet_hours is None:
        return None
    if asked.kind is ReceiverKind.ALERTMANAGER:
        raise ValueError("quiet_hours would end alerts that go on: an Alertmanager has time intervals of its own")
    found = _QUIET.fullmatch(asked.quiet_hours)
    if found is None:
        raise ValueError(f"quiet_hours is '{asked.quiet_hours}': write it like 22:00-07:00")
    first, second, third, fourth = map(int, found.groups())
    try:
        zone = ZoneInfo(asked.quiet_time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"quiet_time_zone is '{asked.quiet_time_zone}', which this machine does not know: write it like "
            "Europe/Berlin"
        ) from None
    start, end = time(first, second), time(third, fourth)
    if start == end:
        raise ValueError("quiet_hours begin and end at the same time: leave them out, or leave the receiver out")
    return QuietHours(start=start, end=end, zone=zone, text=asked.quiet_hours)


def _signing(path: Path, asked: _Entry) -> bytes | None:
    secret = _secret(path, "secret_file", asked.secret_file)
    if secret is not None and asked.kind not in {ReceiverKind.WEBHOOK, ReceiverKind.CLOUDEVENTS}:
        raise ValueError(f"secret_file signs for webhook and cloudevents; a receiver of kind {asked.kind} ignores it")
    return None if secret is None else secret.encode()


def _secret(path: Path, key: str, name: str | None) -> str | None:
    """The content of a file, in one line; never quoted."""
    if name is None:
        return None
    file = path.parent / name
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{key} is {file}, which cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{key} is {file}, which is no text") from None
    if not text or len(text) > _MOST_SECRET or not (text.isascii() and text.isprintable()):
        raise ValueError(f"{key} is {file}: it has to hold one line of ASCII, at most {_MOST_SECRET} characters")
    return text
