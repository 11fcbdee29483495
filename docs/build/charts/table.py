"""docs/reference/helm-values.md: every value of both charts."""

import json
from collections.abc import Iterator
from typing import Final

from docs.build.charts.hub import HubValues
from docs.build.charts.parts import Values, members
from docs.build.charts.settings import HUB_CHARTS_OWN, SPOKE_CHARTS_OWN
from docs.build.charts.spoke import SpokeValues
from docs.build.markdown import code, page, prose, section, summary, table

_INTRODUCTION: Final = """
    The values of the two [Helm charts](../operate/helm.md). What is not listed here is refused, and so is a value of
    another kind: each chart brings a `values.schema.json`. An umbrella chart may hand down `global`, of which
    `global.imageRegistry` and `global.imagePullSecrets` are read.
"""
_CONFIG: Final = """
    In `config` stand settings by the names that [configuration](configuration.md) lists. The chart sets these itself,
    and they are refused there: {}.
"""


def render() -> str:
    """The page."""
    return page(
        "Values of the charts",
        prose(_INTRODUCTION),
        _chart("periplus-hub", HubValues, HUB_CHARTS_OWN),
        _chart("periplus-spoke", SpokeValues, SPOKE_CHARTS_OWN),
    )


def _chart(name: str, model: type[Values], owned: frozenset[str]) -> str:
    config = prose(_CONFIG).format(", ".join(map(code, sorted(owned))))
    return section(name, config, table(("value", "default", "meaning"), _rows(model(), "")))


def _rows(part: Values, path: str) -> Iterator[tuple[str, str, str]]:
    for name, value, field in members(part):
        key = f"{path}{name}"
        if isinstance(value, Values):
            yield code(key), "", summary(value.__doc__)
            yield from _rows(value, f"{key}.")
        else:
            yield code(key), "" if value in ("", [], {}, None) else code(json.dumps(value)), field.description or ""
