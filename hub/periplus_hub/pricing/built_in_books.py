"""The price books that every hub has."""

from functools import cache
from importlib import resources

from periplus_hub.pricing.engine.book_file import read_book
from periplus_hub.pricing.model import PriceBook


@cache
def built_in_books() -> tuple[PriceBook, ...]:
    """In the order of their names."""
    files = sorted(resources.files("periplus_hub.pricing").joinpath("books").iterdir(), key=lambda file: file.name)
    return tuple(read_book(file.read_text("utf-8")) for file in files if file.name.endswith(".toml"))
