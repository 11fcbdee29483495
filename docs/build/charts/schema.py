"""JSON schemas without what nobody reads: titles that repeat names, and defaults, which values.yaml has."""

from typing import Any, Final

_NAMED: Final = frozenset({"properties", "$defs"})
"""Members whose own members are names of ours."""
_UNREAD: Final = frozenset({"title", "default"})


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The same without titles and defaults; texts are one line each."""
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _NAMED:
            found[name] = {each: plain(inner) for each, inner in value.items()}
        elif name == "description":
            found[name] = " ".join(value.split())
        elif name not in _UNREAD:
            found[name] = _plain_value(value)
    return found


def _plain_value(value: object) -> object:
    if isinstance(value, dict):
        return plain(value)
    if isinstance(value, list):
        return [_plain_value(each) for each in value]
    return value
