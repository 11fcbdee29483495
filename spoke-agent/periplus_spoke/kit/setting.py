"""What a setting of the spoke is: flag, variable and key in the file follow from its name."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from periplus_spoke.kit import parsers

PREFIX: Final = "PERIPLUS_SPOKE_"


class Setting(NamedTuple):
    """One setting. `parse` raises ValueError for what is not `allowed`."""

    name: str
    parse: Callable[[Any], object]
    allowed: str
    help: str

    @property
    def flag(self) -> str:
        """On the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag alone means true."""
        return self.parse is parsers.switch

    @property
    def variable(self) -> str:
        """In the environment."""
        return PREFIX + self.name.upper()
