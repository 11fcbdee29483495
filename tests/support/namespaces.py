"""Network namespaces with real sockets in them, all in this process: only threads of their own enter one."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_NETWORK = 0x40000000


class Namespace:
    """One network namespace, with a thread that is in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        _ip("netns", "add", name)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=self._enter)
        self.ip("link", "set", "lo", "up")

    def _enter(self) -> None:
        descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _LIBC.setns(descriptor, _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done inside. A socket that it opens stays inside, whoever uses it."""
        return self._thread.submit(work).result(60)

    def run_for_long(self, work: Callable[[], T]) -> T:
        """The same in a further thread of its own, however long it takes."""
        with ThreadPoolExecutor(1, initializer=self._enter) as thread:
            return thread.submit(work).result()

    def ip(self, *words: str) -> None:
        """The command `ip`, inside."""
        _ip("-n", self.name, *words)

    def sysctl(self, name: str, value: str) -> None:
        """Set a sysctl of the network."""
        self.run(lambda: Path(f"/proc/sys/net/{name}").write_text(value))

    def close(self) -> None:
        """End the thread and the namespace."""
        self._thread.shutdown()
        _ip("netns", "delete", self.name)


class Network:
    """Namespaces of one test, under names that nobody else uses. The test `needs("network namespaces")`."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._prefix = f"pt{os.getpid()}"
        self._links = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def namespace(self, name: str) -> Namespace:
        """A new one."""
        made = Namespace(f"{self._prefix}-{name}")
        self._held.callback(made.close)
        return made

    def link(self, one: Namespace, other: Namespace) -> tuple[str, str]:
        """A cable between two; the names of its ends."""
        self._links += 1
        ends = f"v{self._links}a", f"v{self._links}b"
        _ip("link", "add", ends[0], "netns", one.name, "type", "veth", "peer", "name", ends[1], "netns", other.name)
        one.ip("link", "set", ends[0], "up")
        other.ip("link", "set", ends[1], "up")
        return ends


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def wire_pod(network: Network, node: Namespace, pod: Namespace, addresses: tuple[str, str]) -> None:
    """Hang a pod on its node with a route of its own, as Calico and others do; its addresses are IPv4 and IPv6.

    TCP sends nothing twice to find out sooner whether something was lost, and every header is as long as the next: so
    what the wire carries follows from what sockets send, also on a busy machine.
    """
    for setting in ("tcp_early_retrans", "tcp_sack", "tcp_dsack"):
        pod.sysctl(f"ipv4/{setting}", "0")
    inside, outside = network.link(pod, node)
    for version, (address, gateway) in {"-4": (addresses[0], "169.254.1.1"), "-6": (addresses[1], "fe80::1")}.items():
        bits, plain = ("128", ("nodad",)) if version == "-6" else ("32", ())
        pod.ip(version, "addr", "add", f"{address}/{bits}", "dev", inside, *plain)
        pod.ip(version, "route", "add", gateway, "dev", inside)
        pod.ip(version, "route", "add", "default", "via", gateway, "dev", inside)
        node.ip(version, "addr", "add", f"{gateway}/{'64' if version == '-6' else '32'}", "dev", outside, *plain)
        node.ip(version, "route", "add", f"{address}/{bits}", "dev", outside)
