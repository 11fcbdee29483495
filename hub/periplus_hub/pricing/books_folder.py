"""The price books of a hub: the built-in ones, and those of its folder."""

from pathlib import Path
from typing import Final

from periplus_hub.kit.errors import Refusal
from periplus_hub.pricing.built_in_books import built_in_books
from periplus_hub.pricing.engine.book_file import MOST_BYTES, read_book
from periplus_hub.pricing.engine.book_rows import BookError
from periplus_hub.pricing.model import PriceBook

_MOST_BOOKS: Final = 200


class UnreadableBookError(Refusal):
    """A price book cannot be read; the message names the file, the line and what is wrong."""

    default_slug = "price-book"


def read_file(file: Path) -> PriceBook:
    """The book of one file."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableBookError(f"{file}: cannot be read: {error}", "Give a TOML file in UTF-8.") from error
    try:
        return read_book(text)
    except BookError as error:
        raise UnreadableBookError(f"{file}: {error}", "Mend that line; the other books are as they were.") from error


def books_of(folder: Path | None) -> tuple[PriceBook, ...]:
    """The built-in ones, each replaced by the folder's of the same name; of two in the folder none is taken."""
    books = {book.name: book for book in built_in_books()}
    if folder is None:
        return tuple(books.values())
    files = sorted(folder.glob("*.toml"))
    if not folder.is_dir() or len(files) > _MOST_BOOKS:
        raise UnreadableBookError(f"{folder} is no folder of up to {_MOST_BOOKS} price books", "Set price_books.")
    mine: dict[str, Path] = {}
    for file in files:
        book = read_file(file)
        if book.name in mine:
            raise UnreadableBookError(f"{file} and {mine[book.name]} are both the book {book.name!r}", "Rename one.")
        mine[book.name] = file
        books[book.name] = book
    return tuple(books.values())
