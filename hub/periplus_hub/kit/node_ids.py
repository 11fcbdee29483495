"""How answers name things. Pure."""

from uuid import UUID


def node_id(kind: str, *parts: object) -> str:
    """`Kind:part:part`: how every answer names a thing, so that `node` finds it again."""
    return ":".join((kind, *map(str, parts)))


def uuid_part(text: str) -> UUID:
    """A UUID as answers write it; raises ValueError for another spelling, so that nothing has two ids."""
    found = UUID(text)
    if str(found) != text:
        raise ValueError(text)
    return found
