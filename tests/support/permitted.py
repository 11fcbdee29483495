"""Tests of what only some kernels and accounts permit: skipped where that is refused, and nowhere else. A plugin.

A test says what it needs, `@pytest.mark.needs("network namespaces")`. Whether the machine permits that is tried out
once, apart from the test, so that a test which is broken is not taken for one that must not run. Any other skip fails.
"""

import ctypes
import errno
import os
import tempfile
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from requirements.images import debs
from requirements.images.recipes import HUB, HUB_EMBEDDED
from tests.support import nftables
from tests.support.boxes import missing_programs

BUILT: Final = Path(__file__).parents[2] / "dist" / "images"
"""Where `make images` puts them."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS, _NEW_PROCESSES, _NEW_NETWORK = 0x20000, 0x20000000, 0x40000000
_PRIVATE_BELOW: Final = 0x4000 | 0x40000
STRANGER: Final = 12_345
"""An account that is nobody's."""
_REFUSALS: Final = frozenset(
    (
        *(errno.EPERM, errno.EACCES, errno.EROFS, errno.EINVAL, errno.ENOSPC),
        *(errno.ENOSYS, errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT),
    )
)
"""What a kernel answers that forbids something or does not have it: not what a mistake of ours would come to."""


def _network_namespaces() -> None:
    _root()
    if not os.access("/run", os.W_OK):  # where `ip netns` keeps their names
        raise PermissionError(errno.EACCES, "/run takes no files")
    _checked(_LIBC.unshare(_NEW_NETWORK | _NEW_MOUNTS))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")  # of the new network


def _nftables() -> None:
    _network_namespaces()
    nftables.apply([nftables.Forwarded("192.0.2.1", 80, "192.0.2.2", 80)], [nftables.Masqueraded("192.0.2.1")])


def _small_disks() -> None:
    _root()
    _checked(_LIBC.unshare(_NEW_MOUNTS))  # gone with the thread, and what is mounted with it
    _checked(_LIBC.mount(b"none", b"/", None, _PRIVATE_BELOW, None))
    with tempfile.TemporaryDirectory() as folder:
        _checked(_LIBC.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=16m"))
        _checked(_LIBC.umount(folder.encode()))


def _pods() -> None:
    _small_disks()
    _checked(_LIBC.unshare(_NEW_PROCESSES))
    _other_accounts()


def _debian_packages() -> None:
    try:
        debs.fetched(debs.wanted())
    except debs.ImageError as error:
        raise FileNotFoundError(errno.ENOENT, str(error)) from error


def _built_images() -> None:
    if missing := [image.name for image in (HUB, HUB_EMBEDDED) if not (BUILT / image.name / "index.json").is_file()]:
        raise FileNotFoundError(errno.ENOENT, f"dist/images lacks {', '.join(missing)}: run `make images` before")


def _boxes() -> None:
    _root()
    if missing := missing_programs():
        raise FileNotFoundError(errno.ENOENT, f"{' and '.join(missing)} not installed")
    _checked(_LIBC.unshare(_NEW_MOUNTS | _NEW_PROCESSES))
    _other_accounts()


def _other_accounts() -> None:
    _root()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.touch()
        os.chown(path, STRANGER, STRANGER)


PROBES: Final[Mapping[str, Callable[[], None]]] = {
    "network namespaces": _network_namespaces,
    "nftables": _nftables,
    "small disks": _small_disks,
    "pods": _pods,
    "other accounts": _other_accounts,
    "Debian packages of images": _debian_packages,
    "built images": _built_images,
    "boxes": _boxes,
}


def _root() -> None:
    if os.geteuid() != 0:
        raise PermissionError(errno.EPERM, "only for root")


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def refusal(need: str) -> str:
    """Why this machine does not permit it; empty where it does. Tried in a thread, which takes with it what it made."""
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(PROBES[need]).result()
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            return f"this machine permits no {need}: {error.strerror}"
    return ""


def refusals(item: pytest.Item) -> list[str]:
    """Why it cannot run here."""
    needs = (str(need) for mark in item.iter_markers("needs") for need in mark.args)
    return [reason for reason in map(refusal, needs) if reason]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture makes what would be refused."""
    if reasons := refusals(item):
        pytest.skip("; ".join(reasons))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip for any other reason hides a test from whoever reads that all is well."""
    del call
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and not refusals(item):
        report.outcome = "failed"
        report.longrepr = f"skipped, though this machine permits all that it says it needs: {report.longrepr}"
    return report
