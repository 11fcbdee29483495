"""How answers name things. Pure."""


def node_id(kind: str, *parts: object) -> str:
    """`Kind:part:part`: how every answer names a thing, so that `node` finds it again."""
    return ":".join((kind, *map(str, parts)))
