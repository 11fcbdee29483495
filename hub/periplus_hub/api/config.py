"""Every setting of the hub: the slices' own models put together, read from flags, environment and a TOML file.

A setting has one name everywhere: `[spokes] port` in TOML is `PERIPLUS_SPOKES_PORT` in the environment and
`--spokes-port` on the command line. What is unknown or wrong stops the start and is named.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from periplus_hub.ingest.config import IngestConfig
from periplus_hub.kit.errors import Invalid

_PREFIX: Final = "PERIPLUS_"
_OTHER_ENVIRONMENT: Final = frozenset({"PERIPLUS_URL", "PERIPLUS_TOKEN", "PERIPLUS_CA_FILE", "PERIPLUS_CRASHPOINT"})
"""Read by the command line's client and by fault tests."""
_OTHER_PREFIXES: Final = ("PERIPLUS_SPOKE_", "PERIPLUS_TEST_")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricsListener(_Section):
    """Where Prometheus and health probes look."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=7990, ge=0, le=65535, description="Port; 0 takes a free one.")


class _SecureListener(_Section):
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    tls_cert: Path | None = Field(default=None, description="PEM file with the certificate chain.")
    tls_key: Path | None = Field(default=None, description="PEM file with the certificate's private key.")
    behind_tls_proxy: bool = Field(
        default=False, description="A proxy in front speaks TLS, so plain HTTP may be served beyond loopback."
    )

    @model_validator(mode="after")
    def _tls_or_loopback(self) -> "_SecureListener":
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are given together or not at all")
        if self.host not in _LOOPBACK and self.tls_cert is None and not self.behind_tls_proxy:
            raise ValueError(
                f"plain HTTP is served on loopback only, not on {self.host}: give tls_cert and tls_key, "
                "or set behind_tls_proxy when a proxy in front speaks TLS"
            )
        return self

    @property
    def scheme(self) -> str:
        """http or https."""
        return "http" if self.tls_cert is None else "https"


class SpokesListener(_SecureListener):
    """Where spokes dial in."""

    port: int = Field(default=7946, ge=0, le=65535, description="Port; 0 takes a free one.")


class PeopleListener(_SecureListener):
    """Where people and programs ask."""

    port: int = Field(default=7980, ge=0, le=65535, description="Port; 0 takes a free one.")


class DatabaseConfig(_Section):
    """PostgreSQL."""

    url: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host/name. Without it the hub runs its own PostgreSQL."
    )
    readers: int = Field(default=6, ge=1, le=200, description="Connections for questions.")
    writers: int = Field(default=4, ge=1, le=200, description="Connections for batches and changes.")


class HubConfig(_Section):
    """The whole configuration."""

    data_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "periplus",
        description="Folder of the embedded PostgreSQL and the admin token.",
    )
    all_in_one: bool | None = Field(
        default=None, description="Run the jobs of `hub work` inside `hub serve`. Default: yes with the embedded store."
    )
    ephemeral: bool = Field(default=False, description="The embedded store need not survive a power cut.")
    postgres_account: str | None = Field(
        default=None, description="Existing account the embedded PostgreSQL runs as when the hub is root."
    )
    ready_file: Path | None = Field(default=None, description="JSON file written with the addresses once ready.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["json", "text"] = Field(default="json", description="One JSON object per line, or text.")
    spokes: SpokesListener = Field(default_factory=SpokesListener, description="Listener for spokes.")
    people: PeopleListener = Field(default_factory=PeopleListener, description="Listener for people.")
    metrics: MetricsListener = Field(default_factory=MetricsListener, description="Listener for Prometheus and probes.")
    database: DatabaseConfig = Field(default_factory=DatabaseConfig, description="PostgreSQL.")
    ingest: IngestConfig = Field(default_factory=IngestConfig, description="Intake of batches.")

    @property
    def embedded(self) -> bool:
        """Whether the hub runs its own PostgreSQL."""
        return self.database.url is None

    @property
    def works(self) -> bool:
        """Whether `hub serve` runs the jobs too."""
        return self.embedded if self.all_in_one is None else self.all_in_one


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the configuration, as the reference lists it."""

    path: tuple[str, ...]
    type: str
    default: str
    description: str

    @property
    def flat(self) -> str:
        """`spokes_port`: the command line's name."""
        return "_".join(self.path)

    @property
    def environment(self) -> str:
        """`PERIPLUS_SPOKES_PORT`."""
        return _PREFIX + self.flat.upper()


def settings(model: type[BaseModel] = HubConfig, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every leaf setting."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, (*path, name))
        else:
            text = kind.__name__ if isinstance(kind, type) else str(kind).replace("pathlib.", "")
            default = "" if field.is_required() or field.default_factory else str(field.default)
            yield Setting((*path, name), text, default, field.description or "")


def load_config(
    file: Path | None = None, flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> HubConfig:
    """Flags (by flat name) over environment over file; raises Invalid naming key, value and what is allowed."""
    document = _read_file(file) if file else {}
    known = {setting.flat: setting.path for setting in settings()}
    for name, value in _from_environment(os.environ if environment is None else environment, known).items():
        _put(document, known[name], value)
    for name, value in (flags or {}).items():
        _put(document, known[_flag(name, known)], value)
    try:
        return HubConfig.model_validate(document)
    except ValidationError as error:
        raise Invalid(_explain(error), "See docs/reference/configuration.md.") from error


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the configuration file {file} cannot be read: {error}", "Check --config.") from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the configuration file {file} is not TOML: {error}", "Check its syntax.") from error


def _from_environment(environment: Mapping[str, str], known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {}
    for variable, value in environment.items():
        if not variable.startswith(_PREFIX) or variable in _OTHER_ENVIRONMENT or variable.startswith(_OTHER_PREFIXES):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if name not in known:
            raise Invalid(f"{variable} is no setting of the hub", f"Known are {', '.join(_environment_names())}.")
        found[name] = value
    return found


def _environment_names() -> list[str]:
    return sorted(setting.environment for setting in settings())


def _flag(name: str, known: Mapping[str, tuple[str, ...]]) -> str:
    """The command line may leave a section out where the rest says it all: settle_after_s is ingest_settle_after_s."""
    if name in known:
        return name
    return next(flat for flat in known if flat.endswith(f"_{name}"))


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:  # noqa: ANN401 - whatever TOML holds
    *sections, leaf = path
    for section in sections:
        inner = document.setdefault(section, {})
        if not isinstance(inner, dict):
            raise Invalid(f"{section} = {inner!r} is a value where a section is needed", f"Write [{section}].")
        document = inner
    document[leaf] = value


def _explain(error: ValidationError) -> str:
    """One line per mistake: key, value, what is allowed. Values of secrets are not repeated."""
    lines = []
    for mistake in error.errors():
        key = ".".join(str(part) for part in mistake["loc"]) or "configuration"
        if mistake["type"] == "extra_forbidden":
            lines.append(f"{key} is no setting of the hub")
        elif "url" in key or isinstance(mistake["input"], dict | BaseModel):
            lines.append(f"{key}: {mistake['msg']}")
        else:
            lines.append(f"{key} = {mistake['input']!r}: {mistake['msg']}")
    return "; ".join(lines)
