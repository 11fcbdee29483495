"""Where a message is not what it should be, in our words: a decoder's own belong into nobody's answer."""

import re
from typing import Final

_PLACE: Final = re.compile(r"\(byte (?P<byte>\d+)\)|- at `(?:key in )?\$(?P<path>[\w.\[\]]*)`|field `(?P<field>\w+)`$")
_CHARS: Final = 80


def where_decoding_stopped(error: Exception) -> str:
    """` at byte 7` or ` at outcomes[...].rows`, from where msgspec says that it stopped; empty when it does not."""
    found = _PLACE.search(str(error))
    if found is None:
        return ""
    place = f"byte {found['byte']}" if found["byte"] else (found["path"] or found["field"] or "").lstrip(".")
    return f" at {place[:_CHARS]}" if place else ""
