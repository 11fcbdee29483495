"""Through which proxy an API server is asked: `proxy-url` of the kubeconfig, else the environment, as kubectl does.

Pure. What is said of a proxy never holds the password that its URL may.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
KINDS: Final = "http, https, socks5 or socks5h"


class ProxyError(ConnectionError):
    """A proxy that refuses, or speaks otherwise than its URL says."""


class Proxy(NamedTuple):
    """A proxy of a kind that can be used."""

    url: str
    """With name and password when it has them; not to be shown."""
    kind: str
    host: str
    port: int
    name: str
    password: str

    @property
    def is_socks(self) -> bool:
        """SOCKS 5; the proxy looks names up, whether `h` says so or not, as with kubectl."""
        return self.kind.startswith("socks5")

    @property
    def shown(self) -> str:
        """Without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def parse(url: str) -> Proxy:
    """Raises ValueError saying what is wrong with `url`, without quoting it."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError:
        place, port = urlsplit(""), None
    if place.scheme and place.hostname and place.scheme not in _PORTS:
        msg = f"names a proxy of kind {place.scheme}, and only {KINDS} can be used"
        raise ValueError(msg)
    if not place.hostname or not place.scheme or port == 0:
        msg = f"is not the URL of a proxy, like http://proxy.example.org:3128; {KINDS} can be used"
        raise ValueError(msg)
    name, password = unquote(place.username or ""), unquote(place.password or "")
    return Proxy(url, place.scheme, place.hostname, port or _PORTS[place.scheme], name, password)


def of_environment(server: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names a proxy for the URL `server`, and the proxy's URL; both empty when there is none."""
    place = urlsplit(server)
    host, port = place.hostname or "", place.port or _PORTS.get(place.scheme, 0)
    variable = next((name for name in _variables(place.scheme) if environment.get(name)), "")
    exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if not variable or _is_local(host) or _is_excepted(host, port, exceptions):
        return "", ""
    url = environment[variable]
    # As Go does, whose rules kubectl follows: `proxy:3128` means HTTP.
    return variable, url if "://" in url else f"http://{url}"


def _variables(scheme: str) -> tuple[str, str]:
    return f"{scheme.upper()}_PROXY", f"{scheme}_proxy"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    """This machine is never asked through a proxy of the environment."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    rules = (rule.strip().lower() for rule in exceptions.split(","))
    return any(_matches(rule, host.lower().rstrip("."), port) for rule in rules if rule)


def _matches(rule: str, host: str, port: int) -> bool:
    """An address, a range, a domain with all below it, or with a leading dot only these; each may have a port."""
    if rule == "*":
        return True
    address = _address(host)
    if "/" in rule:
        return address is not None and any(address in network for network in _networks(rule))
    named, ports = (rule, "") if _address(rule) is not None else _without_port(rule)
    if ports not in {"", str(port)}:
        return False
    if (one := _address(named)) is not None:
        return address == one
    domain = named.removeprefix("*") if named.startswith("*.") else named
    if domain.startswith("."):
        # Go's rule: a leading dot is for what lies below the domain and not for the domain itself.
        return host.endswith(domain)
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _without_port(rule: str) -> tuple[str, str]:
    host, mark, port = ("", "", "") if rule.endswith("]") else rule.rpartition(":")
    return (host if mark else rule).removeprefix("[").removesuffix("]"), port if mark else ""


def _networks(rule: str) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        yield ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return
