"""Names by which clients call those they connect to: as DNS has them, in one way of writing alone.

Lower case, without the dot at the end, in ASCII (other scripts are Punycode). An address is no name, and neither is a
pattern like `*.example.com`.
"""

import re
from typing import Final

MAX_HOST: Final = 253
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_LAST_LABEL: Final = "(?:[0-9][0-9-]*)?[a-z_](?:[a-z0-9_-]*[a-z0-9_])?"
HOST: Final = rf"(?:{_LABEL}\.)*{_LAST_LABEL}"
"""What a name matches whole, in words that Arrow's expressions have, too. The last label has a letter, so that no
address is a name."""
_HOST: Final = re.compile(HOST)


def is_host(text: str) -> bool:
    """Whether it is such a name."""
    return len(text) <= MAX_HOST and _HOST.fullmatch(text) is not None
