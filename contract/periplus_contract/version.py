"""Contract versions and how two sides agree on one."""

from typing import Final, NamedTuple

_CHARS: Final = 20
"""Of a version's text: Python turns no longer number into an int than it is told to."""


class Version(NamedTuple):
    """A contract version. Minors only ever add; a new major is a new wire."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Parse `major.minor`; raises ValueError naming the text when it is not one."""
        major, dot, minor = text.partition(".")
        if not (
            dot and len(text) <= _CHARS and major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()
        ):
            msg = f"contract version must look like '1.0', not {text[:32]!r}"
            raise ValueError(msg)
        return cls(int(major), int(minor))


CONTRACT: Final = Version(1, 2)
OLDEST_ACCEPTED: Final = Version(1, 0)
"""The hub accepts minors N..N-2; 1.0 is the first, so the floor is that."""


def accepts(version: Version, *, newest: Version = CONTRACT, oldest: Version = OLDEST_ACCEPTED) -> bool:
    """Whether a hub speaking `newest` takes a batch of `version`.

    A newer minor of the same major is taken too (unknown fields are ignored): an upgraded spoke must keep
    working against a hub that is not upgraded yet.
    """
    return version.major == newest.major and version >= oldest


def best_common(hub_oldest: Version, hub_newest: Version, *, mine: Version = CONTRACT) -> Version | None:
    """The highest version both sides speak, or None when the majors differ or the spoke is too old."""
    if mine.major != hub_newest.major or mine < hub_oldest:
        return None
    return min(mine, hub_newest)
