"""A text that does everything a foreign text can do to who reads it, and what shows whether it did."""

import re
import unicodedata

from periplus_contract.text import visible

POISON = (
    "P\x1b[2J\x1b]8;;http://evil\x07link\x9b31m\x7f\u202elive\u2066\u200b\ufeff\u2028x\u2029\x85\r\nerror: forged\t"
    "\u3164\U000e0041[red]r[/red][link=http://evil]:smile:"
)
SHOWN = visible(POISON)
OUR_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def unseen(output: str) -> list[str]:
    """What of an output a person does not see, line ends and our own colours apart."""
    text = OUR_COLOURS.sub("", output).replace("\n", "")
    hidden = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    return sorted({repr(each) for each in text if unicodedata.category(each) in hidden or each == "\u3164"})
