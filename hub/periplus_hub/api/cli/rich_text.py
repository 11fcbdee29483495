"""Rich without surprises: no markup, no emoji codes, and every character of a text is visible."""

from typing import Any, cast

from rich.console import Console as RichConsole
from rich.text import Text as RichText

from periplus_contract.text import visible


class Text(RichText):
    """A text to style; built up with `append` and `assemble` as rich's own."""

    def __init__(self, text: str = "", style: Any = "", **settings: Any) -> None:  # noqa: ANN401 - as rich has it
        super().__init__(visible(text), style, **settings)

    def append(self, text: Any, style: Any = None) -> "Text":  # noqa: ANN401 - as rich has it
        """More of it; what is no string is a text, and visible already."""
        super().append(visible(text) if isinstance(text, str) else text, style)
        return self

    @classmethod
    def assemble(cls, *parts: Any, **settings: Any) -> "Text":
        """A text of parts, each a string, a pair of string and style, or a text."""
        return cast("Text", super().assemble(*parts, **settings))


class Console(RichConsole):
    """Prints strings as they are to be seen."""

    def render_str(self, text: str, **settings: Any) -> RichText:
        """What rich calls for each string that is printed, or stands in a table or a rule."""
        return super().render_str(visible(text), **(settings | {"markup": False, "emoji": False}))
