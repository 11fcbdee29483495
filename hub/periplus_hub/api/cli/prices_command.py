"""`periplus prices`: price books, built in or of one's own."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from periplus_hub.api.cli.exit_codes import fail
from periplus_hub.api.cli.hub_connection import JsonOption, Listing
from periplus_hub.kit.errors import Refusal
from periplus_hub.pricing.books_folder import books_of, read_file
from periplus_hub.pricing.model import Price, PriceBook

prices_commands = typer.Typer(help="Price books: what a byte costs, by path class.", no_args_is_help=True)
_COLUMNS: Final = ("book", "sku", "path classes", "meter", "regions", "peers", "unit", "tiers", "verified", "line")


@prices_commands.command("list")
def list_prices(
    *,
    folder: Annotated[
        Path | None, typer.Option(metavar="<folder>", help="With the books of this folder, as price_books has them.")
    ] = None,
    book: Annotated[str | None, typer.Option(metavar="<name>", help="Only of this book.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Every price of the books."""
    try:
        books = books_of(folder)
    except Refusal as refusal:
        fail(refusal.message, refusal.remedy)
    chosen = [each for each in books if book in (None, each.name)]
    if not chosen:
        fail(f"there is no book {book!r}", f"There are {', '.join(sorted(each.name for each in books))}.")
    prices = [price for each in chosen for price in each.prices]
    documents = [_document(price) for price in prices]
    Listing(_COLUMNS, [_row(each) for each in documents], documents, "The books have no price.").show(as_json=as_json)


@prices_commands.command()
def check(file: Annotated[Path, typer.Argument(metavar="<file>", help="A price book in TOML.")]) -> None:
    """Read a price book as a hub would, and say on which line what is wrong."""
    try:
        book = read_file(file)
    except Refusal as refusal:
        fail(refusal.message, refusal.remedy)
    Listing(("book", "version", "currency", "prices"), [_summary(book)], [], "", numbers=1).show(as_json=False)


def _summary(book: PriceBook) -> tuple[str, ...]:
    return book.name, book.version, book.currency, str(len(book.prices))


def _document(price: Price) -> dict[str, Any]:
    return {
        "book": price.book,
        "sku": price.sku,
        "pathClasses": sorted(each.value for each in price.path_classes),
        "meter": price.meter.value,
        "regions": sorted(price.regions),
        "peers": sorted(price.peers),
        "unit": price.unit,
        "unitBytes": price.unit_bytes,
        "tiers": [
            {"quantity": None if tier.quantity is None else str(tier.quantity), "price": str(tier.price)}
            for tier in price.tiers
        ],
        "source": price.source,
        "isVerified": price.is_verified,
        "line": price.line,
    }


def _row(price: dict[str, Any]) -> tuple[str, ...]:
    tiers = ", ".join(
        each["price"] if each["quantity"] is None else f"{each['quantity']} at {each['price']}"
        for each in price["tiers"]
    )
    lists = (", ".join(price[name]) for name in ("regions", "peers"))
    return (
        *(price["book"], price["sku"], ", ".join(price["pathClasses"]), price["meter"], *lists, price["unit"], tiers),
        "yes" if price["isVerified"] else "no",
        str(price["line"]),
    )
