"""How settings are read: flags over environment over file over defaults, and every mistake named in full."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from periplus_hub.kit.errors import Refusal

S = TypeVar("S", bound=BaseModel)

PREFIX: Final = "PERIPLUS_"
_SECRET: Final = re.compile(r"url|token|secret|password|key|backup", re.IGNORECASE)
_SERVICE_LINK: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$")
_LINKED_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")


class ConfigError(Refusal):
    """The settings cannot be used; the message names every key that is wrong, its value and what is allowed."""

    default_slug = "config"


class Settings(BaseModel):
    """Base of every slice's settings: frozen, and no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init_subclass__(cls, **given: Any) -> None:
        """Where slices come together no name may be of two: one would take the other's place, and checks nothing."""
        super().__init_subclass__(**given)
        owners: dict[str, type] = {}
        for base in cls.__bases__:
            for name in {*vars(base), *getattr(base, "model_fields", ())}:
                if hasattr(Settings, name) or name.startswith("__"):
                    continue
                if name in owners:
                    raise TypeError(f"{owners[name].__name__} and {base.__name__} both have {name}: rename one")
                owners[name] = base


@dataclass(frozen=True, slots=True)
class _Given:
    """One value and where it came from."""

    source: str
    value: Any


def read_settings(
    kind: type[S],
    flags: Mapping[str, Any],
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    others: frozenset[str] = frozenset(),
) -> S:
    """Settings of `kind`; raises ConfigError. `others` are PERIPLUS_ variables that other programs of ours read."""
    environment = os.environ if environment is None else environment
    given = _from_file(file) | _from_environment(kind, environment, others) | _from_flags(flags)
    try:
        return kind.model_validate({key: each.value for key, each in given.items()})
    except ValidationError as error:
        message = "\n".join(_lines(error, given, kind))
        raise ConfigError(message, "Correct the settings named above.") from None  # it quotes values, secret ones too


def _from_flags(flags: Mapping[str, Any]) -> dict[str, _Given]:
    return {key: _Given(f"--{key.replace('_', '-')}", value) for key, value in flags.items() if value is not None}


def _from_environment(
    kind: type[BaseModel], environment: Mapping[str, str], others: frozenset[str]
) -> dict[str, _Given]:
    found = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in others or _is_service_link(name, value):
            continue
        key = name.removeprefix(PREFIX).lower()
        field = kind.model_fields.get(key)
        found[key] = _Given(name, _split(value) if field is not None and _is_list(field.annotation) else value)
    return found


def _is_service_link(name: str, value: str) -> bool:
    """Kubernetes puts PERIPLUS_HUB_SERVICE_HOST and the like into every pod next to a Service named periplus-hub."""
    if _LINKED_VALUE.match(value):
        return True
    return bool(_SERVICE_LINK.search(name)) and ("_SERVICE_" in name or bool(re.search(r"_\d+_(TCP|UDP|SCTP)", name)))


def _from_file(file: Path | None) -> dict[str, _Given]:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigError(f"the configuration file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {file} is not TOML: {error}") from error
    return {key: _Given(f"{key} in {file}", value) for key, value in document.items()}


def _lines(error: ValidationError, given: Mapping[str, _Given], kind: type[BaseModel]) -> list[str]:
    lines = []
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else ""
        source = given[key].source if key in given else key or "the settings"
        if problem["type"] == "extra_forbidden":
            near = get_close_matches(key, kind.model_fields, 1)
            meant = f"do you mean {near[0]}? Known" if near else "known"
            lines.append(f"{source}: there is no such setting; {meant} are {', '.join(sorted(kind.model_fields))}")
            continue
        # By the name of the setting and on the safe side: a URL of a database holds its password.
        shown = "its value" if _SECRET.search(key) else repr(problem["input"])
        allowed = str(problem.get("ctx", {}).get("error", "")) or problem["msg"]
        lines.append(f"{source}: {shown} is not allowed: {allowed}" if key else allowed)
    return lines


def _is_list(annotation: Any) -> bool:  # noqa: ANN401 - a type annotation
    if isinstance(annotation, UnionType):
        return any(_is_list(each) for each in get_args(annotation))
    return get_origin(annotation) in {list, tuple, set, frozenset}


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]
