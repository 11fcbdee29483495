"""What settings may be: each parser takes what a flag, variable or file says, and raises ValueError for what is not."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from periplus_contract.names import MAX_CLUSTER_NAME, is_node_name, why_no_name


def cluster_name(value: object) -> str:
    """A name that a cluster may have."""
    found = text(value)
    if why := why_no_name(found, MAX_CLUSTER_NAME):
        raise ValueError(why)
    return found


def node_name(value: object) -> str:
    """A name that a node of Kubernetes may have."""
    found = text(value)
    if not is_node_name(found):
        raise ValueError
    return found


def text(value: object) -> str:
    """Any text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def path(value: object) -> Path:
    """A path, with ~ for the home folder."""
    return Path(text(value)).expanduser()


def url(value: object) -> str:
    """http(s):// with a host and, if need be, port and path; nothing else."""
    found = text(value).rstrip("/")
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", found):
        raise ValueError
    parts = urlsplit(found)
    if not parts.hostname or parts.port == 0:
        raise ValueError
    return found


def server(value: object) -> str:
    """http(s):// with a host and, if need be, a port; nothing else."""
    found = url(value)
    if urlsplit(found).path:
        raise ValueError
    return found


def server_or_auto(value: object) -> str:
    """As `server`, or the word."""
    return "auto" if value == "auto" else server(value)


def is_in_clear(url: str) -> bool:
    """Whether what is sent there leaves this machine unencrypted."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def switch(value: object) -> bool:
    """True or false."""
    known = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in known:
        return known[value]
    raise ValueError


class OneOf:
    """A parser of these words."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, value: object) -> str:
        """The word."""
        if value not in self.choices:
            raise ValueError
        return str(value)


@dataclass(frozen=True, slots=True)
class Whole:
    """A parser of whole numbers between these two, themselves allowed."""

    least: int
    most: int

    def __call__(self, value: object) -> int:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
        if not self.least <= number <= self.most:
            raise ValueError
        return number


@dataclass(frozen=True, slots=True)
class Seconds:
    """A parser of durations between these two, themselves allowed."""

    least: float
    most: float

    def __call__(self, value: object) -> float:
        """The seconds."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
        if not self.least <= number <= self.most:
            raise ValueError
        return number


def texts(value: object) -> tuple[str, ...]:
    """Texts, in one separated by commas or in a list."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) and item.strip() for item in items):
        raise ValueError
    return tuple(item.strip() for item in items)


def networks(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    """CIDRs, as texts."""
    return tuple(map(ip_network, texts(value)))


def period_of_a_minute(value: object) -> int:
    """A number of seconds that divides a minute."""
    number = Whole(5, 60)(value)
    if 60 % number:
        raise ValueError
    return number


class SomeOf:
    """A parser of these words, each at most once, in an order."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, value: object) -> tuple[str, ...]:
        """The words."""
        found = texts(value)
        if not set(found) <= set(self.choices) or len(set(found)) < len(found):
            raise ValueError
        return found


def urls(value: object) -> tuple[str, ...]:
    """As `url`, several."""
    return tuple(map(url, texts(value)))


def matchers(value: object) -> str:
    """What stands between the braces of a selector of PromQL."""
    found = text(value).strip()
    one = r'\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\\n]|\\.)*"\s*'
    if not re.fullmatch(f"{one}(,{one})*", found):
        raise ValueError
    return found


def labels(value: object) -> tuple[str, ...]:
    """Names that labels of Prometheus may have."""
    found = texts(value)
    if not all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", each) for each in found):
        raise ValueError
    return found
