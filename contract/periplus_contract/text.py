"""Texts of others as a person may be shown them: a cluster's labels, an API server's reasons, a context's name.

Both programs show such texts on terminals and in logs. One that holds control characters could move the cursor, hide
lines, set a title or a link; one with bidirectional or invisible characters reads as another. So every edge passes
what it prints through here, once, and what is stored and sent stays as it was said.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What Unicode lets programs ignore (and the blank Braille pattern), although Python calls it printable."""
_DELETE: Final = "\x7f"
_BYTE: Final = 0x100
_PLANE: Final = 0x10000


def visible(text: str) -> str:
    r"""One line in which every character is seen: others become escapes like \n, \x1b, \u202e or \U000e0001.

    A backslash stays as it is: this is for reading, JSON is exact.
    """
    if text.isprintable() and (text.isascii() or not _INVISIBLE.search(text)):
        return text
    return "".join(map(_shown, text))


def json_text(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:  # noqa: ANN401 - JSON
    """JSON that is harmless to print: all but plain ASCII is escaped, as the decoder takes it back."""
    # DEL is the one control character that JSON allows as it is. It can only stand inside a text.
    return json.dumps(value, indent=indent, default=default).replace(_DELETE, "\\u007f")


def _shown(character: str) -> str:
    if character.isprintable() and not _INVISIBLE.match(character):
        return character
    number = ord(character)
    if number < _BYTE:
        return _SHORT.get(character, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < _PLANE else f"\\U{number:08x}"
