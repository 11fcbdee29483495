"""Free ranges as values. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeRange:
    """A range of the group's size that no known allocation touches; `cidr` None when the private space is full."""

    cidr: str | None
    within: str
