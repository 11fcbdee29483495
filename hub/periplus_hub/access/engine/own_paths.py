"""Where a browser may be sent after a sign-in: paths of this hub, and nowhere else."""

from typing import Final
from urllib.parse import unquote

_LONGEST: Final = 1_000
_SIGN_IN: Final = "/auth"


def is_own_path(path: str) -> bool:
    """Whether it leads to a page of ours, however browsers read it; /auth/… would send people round in a circle.

    Browsers take two slashes of either kind for another host, and drop tabs and line ends before they look.
    """
    if not path.startswith("/") or path[1:2] in {"/", "\\"} or len(path) > _LONGEST:
        return False
    if not all("!" <= letter <= "~" for letter in path) or "\\" in path:
        return False
    place = unquote(path.partition("?")[0].partition("#")[0])
    return not (place == _SIGN_IN or place.startswith(f"{_SIGN_IN}/")) and "/." not in place and "//" not in place
