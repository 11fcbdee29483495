"""The spoke's configuration: flags win over variables, variables over the TOML file, the file over defaults.

Every setting is one line of `SETTINGS`; flag, variable and key in the file follow from its name. An unknown key or a
bad value stops the start with the key, the value and what is allowed.
"""

import re
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final

import msgspec

from periplus_contract.log_lines import LogFormat
from periplus_spoke.kit import parsers
from periplus_spoke.kit.errors import ConfigError
from periplus_spoke.kit.setting import PREFIX, Setting
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE, SETTINGS

CONFIG_VARIABLE: Final = PREFIX + "CONFIG"
_SERVICE_LINK: Final = re.compile(r"(.+_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)")
"""Variables Kubernetes itself sets in a pod for a Service that is called periplus-spoke."""


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
    flow_sources: tuple[str, ...] = ()
    prometheus_urls: tuple[str, ...] = ()
    exporter_urls: tuple[str, ...] = ()
    prometheus_by_api_server: bool = False
    prometheus_minutes_back: int = 0
    prometheus_token_file: Path | None = None
    prometheus_basic_auth_file: Path | None = None
    prometheus_ca: Path | None = None
    prometheus_selector: str = ""
    prometheus_cluster: str = ""
    prometheus_replica_labels: tuple[str, ...] = ("prometheus", "prometheus_replica", "replica", "__replica__")
    hubble_relay: str = ""
    hubble_server_name: str = "ui.hubble-relay.cilium.io"
    hubble_ca: Path | None = None
    hubble_certificate: Path | None = None
    hubble_key: Path | None = None

    @classmethod
    def default_of(cls, name: str) -> object:
        """A setting's default; None for the one that must be given."""
        default = next(field.default for field in msgspec.structs.fields(cls) if field.name == name)
        return None if default is msgspec.NODEFAULT else default


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
    if parsers.is_in_clear(config.hub) and not config.allow_plain_http:
        raise ConfigError(
            "bad_config",
            f"hub = {config.hub!r} would send the join token and the credential in clear",
            "Give the https:// address of the hub; or set allow_plain_http (--allow-plain-http) when something else on "
            "the way encrypts.",
        )
    _check_prometheus(config)
    _check_hubble(config)
    return config


def _check_prometheus(config: SpokeConfig) -> None:
    secret = config.prometheus_token_file or config.prometheus_basic_auth_file
    in_clear = next(filter(parsers.is_in_clear, config.prometheus_urls + config.exporter_urls), "")
    if secret and in_clear and not config.allow_plain_http:
        raise ConfigError(
            "bad_config",
            f"{in_clear} would be sent the secret in {secret} in clear",
            "Give its https:// address; or set allow_plain_http (--allow-plain-http) when something else "
            "on the way encrypts.",
        )
    if config.prometheus_urls and config.exporter_urls:
        raise ConfigError(
            "bad_config",
            "prometheus_urls and exporter_urls are both given: they may have the same bytes",
            "Give exporter_urls (--exporter-urls) only where no Prometheus reads the exporters.",
        )
    given = "prometheus_urls" if config.prometheus_urls else "exporter_urls"
    if (config.prometheus_urls or config.exporter_urls) and config.prometheus_by_api_server:
        raise ConfigError(
            "bad_config",
            f"{given} and prometheus_by_api_server are both given: they may have the same bytes",
            "Give the one way on which metrics are to be read.",
        )
    if config.prometheus_token_file and config.prometheus_basic_auth_file:
        raise ConfigError(
            "bad_config",
            "prometheus_token_file and prometheus_basic_auth_file are both given",
            "Give the one that Prometheus asks for.",
        )


def _check_hubble(config: SpokeConfig) -> None:
    if (config.hubble_certificate is None) != (config.hubble_key is None):
        raise ConfigError(
            "bad_config",
            "of hubble_certificate and hubble_key only one is given",
            "Give both where Hubble Relay asks for a certificate, else none.",
        )
    needs_tls = config.hubble_ca or config.hubble_certificate
    if needs_tls and not config.hubble_relay.startswith(("https://", "auto")):
        raise ConfigError(
            "bad_config",
            f"hubble_relay = {config.hubble_relay!r} would be asked in clear, and {needs_tls} not be used",
            "Give the https:// address of Hubble Relay, or no files for TLS.",
        )


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
        shown = _shown(value) if setting.parse in (parsers.url, parsers.urls) else value
        raise ConfigError(
            "bad_config", f"{source} = {shown!r} is not allowed", f"Allowed is {setting.allowed}."
        ) from None


def _shown(url: object) -> object:
    """What was given as a URL, without the name and password that it may hold."""
    if isinstance(url, list):
        return [_shown(each) for each in url]
    if not isinstance(url, str) or "@" not in url:
        return url
    scheme, separator, address = url.rpartition("://")
    return f"{scheme}{separator}…@{address.rpartition('@')[2]}" if "@" not in scheme else "…"


def _unknown(what: str, kind: str, allowed: list[str]) -> ConfigError:
    return ConfigError("bad_config", f"{what} is not {kind} periplus-spoke", f"Known are: {', '.join(allowed)}.")
