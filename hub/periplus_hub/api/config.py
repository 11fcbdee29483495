"""Every setting of the hub: the slices' settings and those of the process, in one flat table.

`api_port` is `--api-port`, `PERIPLUS_API_PORT`, and `api_port = …` in the TOML file.
"""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from periplus_contract.log_lines import LogFormat
from periplus_hub.access.config import SignInConfig
from periplus_hub.access.config_browser import BrowserSignInConfig
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.backups.config import BackupsConfig
from periplus_hub.findings.config import NotificationsConfig
from periplus_hub.fleet.config import FleetConfig
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.inventory.config import InventoryConfig
from periplus_hub.kit.config import ConfigError, Settings, read_settings
from periplus_hub.kit.folders import default_data_dir
from periplus_hub.kit.loopback import is_loopback
from periplus_hub.kit.seats import Network
from periplus_hub.pricing.config import PricingConfig

__all__ = ["ConfigError", "HubConfig", "load_config"]

_OTHER_PROGRAMS: Final = frozenset(
    {
        "PERIPLUS_CA_FILE",
        "PERIPLUS_CRASHPOINT",
        "PERIPLUS_NETBOX_TOKEN",
        "PERIPLUS_TEST_WORKERS",
        "PERIPLUS_TOKEN",
        "PERIPLUS_URL",
    }
)
_SPOKE_PREFIX: Final = "PERIPLUS_SPOKE_"
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")
"""As browsers write it: in lower case, without a path."""
_SCHEMES: Final = ("postgresql://", "postgres://", "postgresql+asyncpg://")


OTHER_CONNECTIONS: Final = 22
"""What a process opens for everything but questions and batches (`periplus_hub.api.database_pools`)."""


class StoreConfig(Settings):
    """Where the hub keeps what it knows."""

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of the embedded PostgreSQL. Default as root: /var/lib/periplus.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Your own PostgreSQL, 16 or newer, to use instead of the embedded one: "
        "postgresql://user:password@host/name. The URL may have several hosts and libpq's parameters.",
    )
    migration_database_url: SecretStr | None = Field(
        default=None,
        description="The same database with the role that owns its tables; only `hub migrate` uses it. Without it "
        "the role in database_url migrates and owns the tables.",
    )
    backup_database_url: SecretStr | None = Field(
        default=None,
        description="The same database with a role that sees all rows (superuser or BYPASSRLS); only backups use it. "
        "Without it migration_database_url is used.",
    )
    postgres_account: str | None = Field(
        default=None,
        description="Only if the hub runs as root: the existing account that runs the embedded PostgreSQL. Default: "
        "postgres, or nobody if there is no such account.",
    )
    ephemeral: bool = Field(
        default=False, description="The embedded PostgreSQL need not survive a power cut. For try and demo."
    )
    database_readers: int = Field(
        default=6,
        ge=4,
        le=200,
        description="Connections for GraphQL operations, and how many of them run at once. A process opens at most "
        f"database_readers + database_writers + {OTHER_CONNECTIONS} connections.",
    )
    database_writers: int = Field(default=6, ge=5, le=200, description="Connections for batches and heartbeats.")

    @field_validator("database_url", "migration_database_url", "backup_database_url")
    @classmethod
    def _known_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(_SCHEMES):
            raise ValueError("it must start with postgresql://")
        if url is not None and not _has_readable_hosts(url.get_secret_value()):
            raise ValueError(
                "its hosts and ports cannot be read: write / ? # @ [ ] in a name or password as %2F %3F %23 %40 %5B %5D"
            )
        return url

    @property
    def most_connections(self) -> int:
        """What one process opens at most."""
        return self.database_readers + self.database_writers + OTHER_CONNECTIONS

    @property
    def embedded(self) -> bool:
        """Whether the hub runs its own PostgreSQL."""
        return self.database_url is None


class ListenerConfig(Settings):
    """Where the hub listens. Port 0 takes a free one; the ready file says which."""

    spokes_host: str = Field(default="127.0.0.1", description="Address of the spoke listener.")
    spokes_port: int = Field(default=7946, ge=0, le=65_535, description="Port of the spoke listener.")
    api_host: str = Field(default="127.0.0.1", description="Address of the API listener (GraphQL).")
    api_port: int = Field(default=7980, ge=0, le=65_535, description="Port of the API listener.")
    api_origins: tuple[str, ...] = Field(
        default=(),
        description="Origins of web pages, like https://portal.example.org, whose scripts may use GraphQL with a token "
        "of their own (CORS). None by default. They cannot use the session of "
        "somebody who signed in with a browser: its cookie is taken from pages of the hub alone.",
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address of the metrics and health listener.")
    metrics_port: int = Field(default=7990, ge=0, le=65_535, description="Port of the metrics listener in `hub serve`.")
    work_metrics_port: int = Field(
        default=7991,
        ge=0,
        le=65_535,
        description="Port of the metrics listener in `hub work`; another one, so that both can run on one machine.",
    )
    metrics_cluster_limit: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Largest number of clusters for which each cluster has metrics of its own, by tenant and name. In "
        "a larger fleet no cluster has them, and periplus_cluster_series_left_out is 1. 0: never.",
    )
    spokes_fd: int | None = Field(
        default=None,
        ge=3,
        description="File descriptor of an inherited, listening socket to use instead of spokes_host and spokes_port. "
        "Spokes may connect to it before the hub is ready; they wait.",
    )
    connections: int = Field(
        default=2_000,
        ge=2,
        le=100_000,
        description="Largest number of connections of the spoke listener, and of the API listener. When a listener "
        "is full, the next connection replaces the one without a credential that waits longest, or else the one that "
        "is idle longest. If you do not set it, it is lower where the process may not open that many files.",
    )
    connections_per_address: int = Field(
        default=500,
        ge=1,
        description="Largest number of connections from one address (IPv6: one /64). One more replaces a connection of "
        "the same address that waits or is idle.",
    )
    connections_per_principal: int = Field(
        default=100,
        ge=1,
        description="Largest number of connections that one token or spoke has with the privilege of its credential. "
        "One more replaces an idle one of them, or else is treated like a connection without a credential.",
    )
    proxies: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"),
        description="Addresses and ranges of proxies in front of the hub. connections_per_address does not apply to "
        "them, because many people share their connections; limit connections per address in the proxy. If you set "
        "this and a proxy runs on the hub's machine, include loopback.",
    )
    tls_certificate: Path | None = Field(
        default=None, description="PEM file with the certificate chain for the spoke and API listeners."
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the private key of tls_certificate.")
    allow_plain_http: bool = Field(
        default=False,
        description="Serve spokes and people without TLS on addresses other than loopback. Only for a hub behind a "
        "proxy that terminates TLS.",
    )
    ready_file: Path | None = Field(default=None, description="JSON file written once the hub is ready.")
    join_tokens_file: Path | None = Field(
        default=None,
        description="JSON list of join tokens that the hub knows from its start: {token, clusterName, autoApprove, "
        "domain}. Each can be used once, for an hour after the hub first starts with it. A domain that is not there is "
        "made where domainDescription is given, too.",
    )
    drain_s: float = Field(
        default=20.0, ge=0, le=25, description="How long requests in progress may take to finish after SIGTERM."
    )

    @field_validator("proxies")
    @classmethod
    def _readable_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"{error}: write an address or a range, like 10.1.2.3 or 10.1.0.0/16") from error
        return proxies

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """`proxies`, read."""
        return tuple(ip_network(each) for each in self.proxies)

    @field_validator("api_origins")
    @classmethod
    def _whole_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is not an origin: write scheme and host, and the port unless it is the scheme's own, "
                    "like https://portal.example.org or http://localhost:5173; there is no wildcard"
                )
        return origins

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both or neither")
        for name in ("spokes_host", "api_host"):
            host = getattr(self, name)
            if self.tls_certificate is None and not self.allow_plain_http and not is_loopback(host):
                raise ValueError(
                    f"{name} is {host!r}, which others can reach, and there is no TLS: set tls_certificate and "
                    "tls_key, or allow_plain_http = true when something in front of the hub terminates TLS"
                )
        return self


class ProcessConfig(Settings):
    """How the process behaves."""

    all_in_one: bool | None = Field(
        default=None, description="Also do the work of `hub work`. Default: true with the embedded PostgreSQL."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )
    log_format: LogFormat = Field(
        default="auto", description="json: one object per line. text: for people. auto: text at a terminal, else json."
    )


class HubConfig(
    StoreConfig,
    ListenerConfig,
    ProcessConfig,
    SignInConfig,
    BrowserSignInConfig,
    FleetConfig,
    IngestConfig,
    InventoryConfig,
    IpamConfig,
    FlowsConfig,
    PricingConfig,
    NotificationsConfig,
    BackupsConfig,
):
    """The sum of all slices' settings."""

    @model_validator(mode="after")
    def _one_process(self) -> Self:
        if self.embedded and self.migration_database_url is not None:
            raise ValueError("migration_database_url is for a server of yours: set database_url too")
        if self.embedded and self.backup_database_url is not None:
            raise ValueError("backup_database_url is for a server of yours: set database_url too")
        if self.embedded and self.all_in_one is False:
            raise ValueError("the embedded store belongs to one process: leave all_in_one, or set database_url")
        return self

    @model_validator(mode="after")
    def _browsers_have_an_issuer(self) -> Self:
        if self.public_url is None:
            return self
        if self.oidc_issuer is None:
            raise ValueError("public_url is set and oidc_issuer is not: set both, or neither: browsers sign in there")
        if self.tls_certificate is not None and self.public_url.startswith("http:"):
            raise ValueError(
                f"public_url is {self.public_url}, and tls_certificate is set: the API listener then takes https "
                "alone. Write public_url with https"
            )
        return self

    @model_validator(mode="after")
    def _backups_elsewhere(self) -> Self:
        folder = self.backup_folder
        if folder is not None and folder.absolute().is_relative_to(self.data_dir.absolute()):
            raise ValueError(
                f"backup_folder {folder} is in data_dir, and would be lost with it: choose a folder on another disk"
            )
        return self

    @property
    def flow_store(self) -> str:
        """The URL of the flow store."""
        if self.flow_store_url is not None:
            return self.flow_store_url.get_secret_value()
        return f"chdb://{self.data_dir.absolute()}/flows"

    @property
    def works(self) -> bool:
        """Whether `serve` also runs the jobs."""
        return self.embedded if self.all_in_one is None else self.all_in_one


def load_config(file: Path | None, flags: dict[str, Any]) -> HubConfig:
    """Flags over PERIPLUS_* over the TOML file over defaults; raises ConfigError naming everything that is wrong."""
    spokes = {name for name in os.environ if name.startswith(_SPOKE_PREFIX)}
    return read_settings(HubConfig, flags, file, others=_OTHER_PROGRAMS | spokes)


def _has_readable_hosts(url: str) -> bool:
    """The driver would quote what it takes for a port, and that may be a part of the password."""
    hosts = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    return all(re.fullmatch(r"(\[[^][]+\]|[^:\[\]]*)(:[0-9]{0,5})?", host) for host in hosts.split(","))
