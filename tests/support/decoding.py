"""Kubernetes JSON dicts to the spoke's kept objects."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode(kind: type[T], thing: dict[str, Any], uid: str = "") -> T:
    """`thing` as `kind`, through JSON as on the wire; `uid` when it has none."""
    meta = {"uid": uid, **thing.get("metadata", {})}
    return msgspec.json.decode(msgspec.json.encode({**thing, "metadata": meta}), type=kind)
