"""The edge of `periplus-spoke`: what it prints for people passes here."""

import sys

from periplus_contract.text import visible


def tell(*lines: str) -> None:
    """Lines on standard output."""
    print(*map(visible, lines), sep="\n")


def say(*lines: str) -> None:
    """Lines on standard error."""
    print(*map(visible, lines), sep="\n", file=sys.stderr)
