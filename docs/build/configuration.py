"""docs/reference/configuration.md: every setting of both programs."""

import os
from typing import Final
from unittest.mock import patch

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.build.markdown import code, page, prose, section, summary, table
from docs.build.types import type_text
from periplus_hub.api.config import HubConfig
from periplus_hub.kit.config import PREFIX
from periplus_spoke.kit import config as spoke
from periplus_spoke.kit.settings import JOIN_TOKEN_VARIABLE, SETTINGS

_HUB: Final = """
    In the TOML file that `--config` names, a setting has its own name. In the environment it is `PERIPLUS_` and the
    name in capitals; lists are separated by commas there. Some settings are also options of
    [`periplus hub serve`](cli.md#periplus-hub-serve). An option wins over the environment, and the environment wins
    over the file. The hub does not start with an unknown key or an invalid value; the message names it.
"""
_SPOKE: Final = f"""
    Every setting is an option of `periplus-spoke`, an environment variable, and a key of the TOML file that `--config`
    or `{spoke.CONFIG_VARIABLE}` names. An option wins over the environment, and the environment wins over the file.
    `{JOIN_TOKEN_VARIABLE}` may hold the join token itself. The spoke does not start with an unknown key or an
    invalid value; the message names it.
"""
_HEADER: Final = ("setting", "environment", "value", "default", "meaning")
_HOME: Final = "/home/somebody"
_BOUNDS: Final = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("min_length", "length ≥"))


def render() -> str:
    """The page."""
    hub = (_group(base) for base in HubConfig.__bases__ if issubclass(base, BaseModel))
    return page("Configuration", section("Hub", prose(_HUB), *hub), section("Spoke", prose(_SPOKE), _spoke()))


def _group(model: type[BaseModel]) -> str:
    """The settings of one of the models that HubConfig is the sum of."""
    rows = [
        (code(name), code(PREFIX + name.upper()), _value(field), _default(field), field.description or "")
        for name, field in model.model_fields.items()
    ]
    return section(model.__name__.removesuffix("Config"), summary(model.__doc__), table(_HEADER, rows), level=3)


def _spoke() -> str:
    defaults = {field.name: field for field in msgspec.structs.fields(spoke.SpokeConfig)}
    rows = [
        (
            code(setting.flag),
            code(setting.variable),
            setting.allowed,
            _spoke_default(defaults[setting.name]),
            setting.help,
        )
        for setting in SETTINGS
    ]
    return table(("option", "environment", "value", "default", "meaning"), rows)


def _spoke_default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    return code(_text(field.default)) if field.default not in (None, "", (), False) else ""


def _value(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(mark, word):,}" for mark in field.metadata for word, sign in _BOUNDS if hasattr(mark, word)
    ]
    return ", ".join([type_text(field.annotation), *bounds])


def _default(field: FieldInfo) -> str:
    """Defaults that depend on the machine are shown as for somebody who is not root and has set nothing."""
    environment = {"HOME": _HOME, "PATH": os.environ.get("PATH", "")}
    with patch.dict(os.environ, environment, clear=True), patch("os.geteuid", return_value=1000):
        default = field.get_default(call_default_factory=True, validated_data={})
    return "" if default is None else code(_text(default).replace(_HOME, "~"))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
