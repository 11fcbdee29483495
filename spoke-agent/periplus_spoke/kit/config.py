"""The spoke's configuration: flags win over variables, variables over the TOML file, the file over defaults.

Every setting is one line of `SETTINGS`; flag, variable and key in the file follow from its name. An unknown key or a
bad value stops the start with the key, the value and what is allowed.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from periplus_contract.log_lines import LogFormat
from periplus_contract.names import ALLOWED, MAX_CLUSTER_NAME, is_node_name, why_no_name
from periplus_spoke.kit.errors import ConfigError

PREFIX: Final = "PERIPLUS_SPOKE_"
JOIN_TOKEN_VARIABLE: Final = PREFIX + "JOIN_TOKEN"
CONFIG_VARIABLE: Final = PREFIX + "CONFIG"
_SERVICE_LINK: Final = re.compile(r"(.+_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)")
"""Variables Kubernetes itself sets in a pod for a Service that is called periplus-spoke."""


class Setting(NamedTuple):
    """One setting. `parse` raises ValueError for what is not `allowed`."""

    name: str
    parse: Callable[[Any], object]
    allowed: str
    help: str

    @property
    def flag(self) -> str:
        """On the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag alone means true."""
        return self.parse is _switch

    @property
    def variable(self) -> str:
        """In the environment."""
        return PREFIX + self.name.upper()


class SpokeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked. Empty texts and None mean "not given"."""

    hub: str
    hub_ca: Path | None = None
    allow_plain_http: bool = False
    join_token_file: Path | None = None
    state_dir: Path = Path("/var/lib/periplus-spoke")
    cluster_name: str = ""
    kubeconfig: Path | None = None
    context: str = ""
    vantage: str = ""
    status_file: Path | None = None
    log_format: LogFormat = "auto"
    log_level: str = "info"
    health_port: int | None = None
    health_host: str = "0.0.0.0"  # noqa: S104 - the kubelet probes from the node
    label_keys: tuple[str, ...] = ()
    distribution: str = ""
    delta_interval_s: float = 2.0
    ipam_interval_s: int = 60
    heartbeat_interval_s: float = 30.0
    outbox_max_bytes: int = 512 * 1024 * 1024
    outbox_max_files: int = 20_000
    memory_max_bytes: int = 64 * 1024 * 1024
    node_name: str = ""
    local_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    conntrack_interval_s: int = 30
    conntrack_max_connections: int = 1_000_000
    flow_row_budget: int = 10_000

    @classmethod
    def default_of(cls, name: str) -> object:
        """A setting's default; None for the one that must be given."""
        default = next(field.default for field in msgspec.structs.fields(cls) if field.name == name)
        return None if default is msgspec.NODEFAULT else default


def _name(value: object) -> str:
    if why := why_no_name(text := _text(value), MAX_CLUSTER_NAME):
        raise ValueError(why)
    return text


def _node_name(value: object) -> str:
    if not is_node_name(text := _text(value)):
        raise ValueError
    return text


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _url(value: object) -> str:
    text = _text(value).rstrip("/")
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", text):
        raise ValueError
    parts = urlsplit(text)
    if not parts.hostname or parts.port == 0:
        raise ValueError
    return text


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


def _switch(value: object) -> bool:
    known = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in known:
        return known[value]
    raise ValueError


def _one_of(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return parse


def _whole(least: int, most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _seconds(least: float, most: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _list(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) and item.strip() for item in items):
        raise ValueError
    return tuple(item.strip() for item in items)


def _networks(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, _list(value)))


def _period_of_a_minute(value: object) -> int:
    number = _whole(5, 60)(value)
    if 60 % number:
        raise ValueError
    return number


_MIB: Final = 1024 * 1024
_FILE: Final = "a path"
NODE_NAMES: Final = "up to 253 of a-z, 0-9, '-' and '.'"

SETTINGS: Final = (
    Setting("hub", _url, "http(s)://host[:port]", "Address of the hub's spoke listener, as the hub prints it."),
    Setting("hub_ca", _path, _FILE, "PEM file with the authority that signed the hub's certificate."),
    Setting(
        "allow_plain_http",
        _switch,
        "true or false",
        "Send to a hub beyond this machine without TLS: something else on the way encrypts.",
    ),
    Setting(
        "join_token_file",
        _path,
        _FILE,
        "File with a join token, needed once: create one with 'periplus join-token create', for 'node' with "
        f"--agents-of. The variable {JOIN_TOKEN_VARIABLE} may hold the token instead.",
    ),
    Setting("state_dir", _path, _FILE, "Folder for identity and unsent batches; keep it across restarts."),
    Setting("cluster_name", _name, ALLOWED, "Name of this cluster in the hub; default: the name of the context."),
    Setting("kubeconfig", _path, _FILE, "Kubeconfig to use; default inside a pod: its ServiceAccount."),
    Setting("context", _text, "a context's name", "Context of the kubeconfig; default: its current context."),
    Setting(
        "vantage",
        _text,
        "a text",
        "Name of the place this spoke asks from. Spokes that give the same one, and ask an API server at one address, "
        "are known to read one cluster, even if they cannot list its nodes. 'periplus try' sets it.",
    ),
    Setting("status_file", _path, _FILE, "File in which the spoke reports its progress, as one JSON object."),
    Setting(
        "log_format",
        _one_of("auto", "json", "text"),
        "auto, json or text",
        "Format of the log on standard error; auto is text at a terminal, else json.",
    ),
    Setting(
        "log_level",
        _one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "Lowest level logged.",
    ),
    Setting(
        "health_port", _whole(0, 65_535), "0 to 65535", "Port for /healthz, /readyz and /metrics; 0: any free one."
    ),
    Setting("health_host", _text, "an address", "Address the health port listens on."),
    Setting(
        "label_keys", _list, "names, comma-separated", "Labels that may be sent to the hub; 'prefix/*' is allowed."
    ),
    Setting(
        "distribution", _text, "a name", "Name of the Kubernetes distribution, if the spoke does not recognise it."
    ),
    Setting(
        "delta_interval_s", _seconds(0.1, 300), "0.1 to 300 seconds", "How long changes are collected for one batch."
    ),
    Setting(
        "ipam_interval_s", _whole(10, 3600), "10 to 3600 seconds", "How often the use of address pools is reported."
    ),
    Setting(
        "heartbeat_interval_s", _seconds(0.1, 60), "0.1 to 60 seconds", "Longest time without a message to the hub."
    ),
    Setting(
        "outbox_max_bytes", _whole(4 * _MIB, 1 << 40), "4 MiB to 1 TiB in bytes", "Limit of the batches kept on disk."
    ),
    Setting(
        "outbox_max_files", _whole(100, 1_000_000), "100 to 1000000", "Limit of the number of batches kept on disk."
    ),
    Setting(
        "memory_max_bytes",
        _whole(_MIB, 1 << 30),
        "1 MiB to 1 GiB in bytes",
        "Limit of the batches kept in memory while the disk fails.",
    ),
    Setting(
        "node_name",
        _node_name,
        NODE_NAMES,
        "Name of this node in Kubernetes ('node' only); default: the name of the machine.",
    ),
    Setting(
        "local_networks",
        _networks,
        "CIDRs, comma-separated",
        "Addresses of this node's pods beside those that its routes show ('node' only).",
    ),
    Setting(
        "conntrack_interval_s",
        _period_of_a_minute,
        "5, 6, 10, 12, 15, 20, 30 or 60 seconds",
        "How often the kernel's table of connections is read ('node' only).",
    ),
    Setting(
        "conntrack_max_connections",
        _whole(1_000, 10_000_000),
        "1000 to 10000000",
        "Connections whose counters are remembered; further ones count as not measured ('node' only).",
    ),
    Setting(
        "flow_row_budget",
        _whole(100, 40_000),
        "100 to 40000",
        "Rows about flows in one minute; the smallest beyond that are summed in rows of their own ('node' only).",
    ),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def load(
    flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None, *, needs_hub: bool = True
) -> SpokeConfig:
    """The configuration; raises ConfigError. `flags` holds only those given. Without `needs_hub`, `hub` may be ""."""
    named = environment.get(CONFIG_VARIABLE)
    file = file or (Path(named) if named else None)
    values = _from_file(file) if file else {}
    values |= _from_environment(environment)
    values |= {name: _parsed(_BY_NAME[name], value, _BY_NAME[name].flag) for name, value in flags.items()}
    if needs_hub and "hub" not in values:
        raise ConfigError(
            "bad_config",
            "no hub is given",
            f"Give --hub http(s)://host[:port], {PREFIX}HUB, or hub in the configuration file.",
        )
    config = SpokeConfig(**({"hub": ""} | values))
    if is_in_clear(config.hub) and not config.allow_plain_http:
        raise ConfigError(
            "bad_config",
            f"hub = {config.hub!r} would send the join token and the credential in clear",
            "Give the https:// address of the hub; or set allow_plain_http (--allow-plain-http) when something else on "
            "the way encrypts.",
        )
    return config


def join_token(config: SpokeConfig, environment: Mapping[str, str]) -> str:
    """The join token from its file or variable; empty when there is none. Raises ConfigError."""
    if config.join_token_file is None:
        return environment.get(JOIN_TOKEN_VARIABLE, "").strip()
    try:
        return config.join_token_file.read_text().strip()
    except FileNotFoundError:
        return ""  # removed after enrolment, as it should be
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "bad_config",
            f"the join token file {config.join_token_file} cannot be read: {type(error).__name__}",
            "Check its permissions.",
        ) from None


def why_no_token(config: SpokeConfig) -> str:
    """What to say where `join_token` found none and one is needed."""
    file = config.join_token_file
    return f"no join token: {file} is not there, or empty" if file else "no join token"


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("bad_config", f"{file}: {error}", "Name a readable TOML file with --config.") from error
    for key in content:
        if key not in _BY_NAME:
            raise _unknown(f"{key} in {file}", "a key of", sorted(_BY_NAME))
    return {key: _parsed(_BY_NAME[key], value, f"{key} in {file}") for key, value in content.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    by_variable = {setting.variable: setting for setting in SETTINGS}
    values = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in (JOIN_TOKEN_VARIABLE, CONFIG_VARIABLE):
            continue
        setting = by_variable.get(variable)
        if setting is not None:
            values[setting.name] = _parsed(setting, value, variable)
        elif not _SERVICE_LINK.fullmatch(variable.removeprefix(PREFIX)):
            raise _unknown(variable, "a variable of", sorted(by_variable))
    return values


def _parsed(setting: Setting, value: object, source: str) -> object:
    try:
        return setting.parse(value)
    except (ValueError, OverflowError):
        shown = _shown(value) if setting.parse is _url else value
        raise ConfigError(
            "bad_config", f"{source} = {shown!r} is not allowed", f"Allowed is {setting.allowed}."
        ) from None


def _shown(url: object) -> object:
    """What was given as a URL, without the name and password that it may hold."""
    if not isinstance(url, str) or "@" not in url:
        return url
    scheme, separator, address = url.rpartition("://")
    return f"{scheme}{separator}…@{address.rpartition('@')[2]}" if "@" not in scheme else "…"


def _unknown(what: str, kind: str, allowed: list[str]) -> ConfigError:
    return ConfigError("bad_config", f"{what} is not {kind} periplus-spoke", f"Known are: {', '.join(allowed)}.")
