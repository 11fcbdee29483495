"""Which part of a sorted list a caller wants: so many rows from an end or from a cursor, forwards or backwards."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from periplus_hub.kit.cursors import Key, decode_cursor
from periplus_hub.kit.errors import Invalid

T = TypeVar("T")

MOST_ROWS: Final = 10_000
"""Of one page, whatever a price list says."""
DEFAULT_ROWS: Final = 50


class Window(NamedTuple):
    """`size` rows between two cursors, either of which may be missing: the first ones, or backwards the last ones."""

    size: int = DEFAULT_ROWS
    after: str | None = None
    before: str | None = None
    backwards: bool = False

    def checked(self) -> "Window":
        """Itself; raises Invalid for more rows, or fewer, than a page may have."""
        if not 1 <= self.size <= MOST_ROWS:
            name = "last" if self.backwards else "first"
            raise Invalid(f"{name} is {self.size}", f"Ask for 1 to {MOST_ROWS} rows.")
        return self

    def cut(self, start: int, stop: int) -> tuple[int, int]:
        """The part of positions [start, stop) that it shows."""
        stop = max(start, stop)
        return (max(start, stop - self.size), stop) if self.backwards else (start, min(stop, start + self.size))

    def ends(self, read: Callable[[str], Key]) -> tuple[Key | None, Key | None]:
        """What its cursors stand for; `read` raises Invalid for one of another list."""
        return None if self.after is None else read(self.after), None if self.before is None else read(self.before)


def window_of(
    first: int | None, after: str | None, last: int | None, before: str | None, *, default: int = DEFAULT_ROWS
) -> Window:
    """What Relay's four arguments mean together; raises Invalid when both ends are asked for at once."""
    if first is not None and last is not None:
        raise Invalid(f"first is {first} and last is {last}", "Give one of them: first to go on, last to go back.")
    if last is not None:
        return Window(last, after, before, backwards=True)
    return Window(default if first is None else first, after, before)


def span(
    items: Sequence[T], key: Callable[[T], Key], ends: tuple[Key | None, Key | None], window: Window
) -> tuple[int, int]:
    """Where the window lies in `items`, which are sorted by `key`; the ends need not be there any more."""
    after, before = ends
    try:
        start = 0 if after is None else bisect_right(items, after, key=key)
        stop = len(items) if before is None else bisect_left(items, before, key=key)
    except TypeError as error:  # not every cursor was made by us
        raise other_list() from error
    return window.checked().cut(start, stop)


def other_list() -> Invalid:
    """The refusal of a cursor that fits neither the list nor its order."""
    return Invalid("the cursor belongs to another list", "Pass a cursor of an earlier page of this list, unchanged.")


def reader(order: str) -> Callable[[str], Key]:
    """Reads the cursors of one list in one order."""
    return lambda cursor: decode_cursor(cursor, order)
