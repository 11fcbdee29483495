"""Price books: what is wrong with one is told with its line."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from periplus_hub.pricing.books_folder import UnreadableBookError, books_of
from periplus_hub.pricing.built_in_books import built_in_books
from periplus_hub.pricing.engine.book_file import read_book
from periplus_hub.pricing.engine.book_rows import BookError
from periplus_hub.pricing.engine.legs import Prices
from periplus_hub.pricing.model import PathClass, Place, PriceBook, Traffic, Where

HEAD = """book = "mine"
version = "1"
provider = "aws"
currency = "USD"
unit = "GB"
unit_bytes = 1_000
valid_from = 2026-01-01
"""
ROW = """
[[price]]
sku = "x"
path_class = "cross-zone"
meter = ["sender", "receiver"]
price = "0.01"
source = "contract"
"""
FIRST, SECOND = 9, 16
"""Where the tables of ROW begin."""


def wrong(text: str) -> str:
    with pytest.raises(BookError) as refused:
        read_book(text)
    return str(refused.value)


def test_a_price_is_as_it_is_written() -> None:
    book = read_book(HEAD + ROW)
    assert [price.meter.value for price in book.prices] == ["sender", "receiver"]
    price = book.prices[0]
    assert (price.tiers[0].price, price.unit_bytes, price.valid_from) == (Decimal("0.01"), 1_000, date(2026, 1, 1))
    assert (price.book, price.line, price.is_verified) == ("mine 1", FIRST, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + ROW.replace('"0.01"', '"-0.01"'), "line 13: price is -0.01: prices and quantities are not below 0"),
        (HEAD + ROW.replace('"0.01"', '"10000"'), "line 13: 10000 for a unit is more than 1000"),
        (HEAD + ROW.replace('"0.01"', '"a lot"'), "line 13: price is a number"),
        (HEAD + ROW.replace('"0.01"', '"NaN"'), "line 13: price is a number"),
        (HEAD + ROW.replace('"cross-zone"', '"cross-az"'), "line 11: path_class 'cross-az' is not known"),
        (HEAD + ROW.replace('"sender"', '"server"'), "line 12: meter 'server' is not known"),
        (HEAD + ROW.replace("source", "sauce"), "line 14: [[price]] has no key 'sauce'"),
        (HEAD + ROW.replace('sku = "x"\n', ""), "line 9: [[price]] lacks 'sku'"),
        (HEAD + ROW + "valid_until = 2025-01-01\n", "line 15: valid_until is the first day on which"),
        (HEAD + ROW + 'free_pool = "y"\n', "line 9: there is no [[free_pool]] named 'y'"),
        (HEAD + ROW + ROW, "line 16: x has two prices on 2026-01-01 for the same traffic"),
        (
            HEAD + ROW + "valid_until = 2026-02-01\n" + ROW + "valid_from = 2026-03-01\n",
            "line 17: x has no price from 2026-02-01 to 2026-03-01: line 9 ends",
        ),
        (HEAD, "line 1: the book has no price"),
        (HEAD.replace('"USD"', '"dollars"') + ROW, "line 4: currency 'dollars'"),
        (HEAD.replace("1_000", "0") + ROW, "line 6: unit_bytes is a whole number above 0"),
        (HEAD.replace("2026-01-01", '"soon"') + ROW, "line 7: valid_from is a day"),
        (HEAD + ROW.replace('price = "0.01"', 'tiers = [{ quantity = "5", price = "1" }]'), "line 13: each tier is"),
        (
            HEAD + ROW.replace('price = "0.01"', 'tiers = [{ quantity = "0.0001", price = "1" }, { price = "1" }]'),
            "line 13: a tier of 0.0001 units is no whole number of bytes",
        ),
        (HEAD + "price = 3\n", "line 1: price stands in tables of its own"),
        (HEAD + "= broken", "line 8: this is no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, said: str) -> None:
    assert wrong(text).startswith(said)


def test_prices_follow_each_other() -> None:
    book = read_book(
        HEAD + ROW + "valid_until = 2026-02-01\n" + ROW.replace("0.01", "0.02") + "valid_from = 2026-02-01\n"
    )
    for day, price in ((date(2026, 1, 31), "0.01"), (date(2026, 2, 1), "0.02")):
        assert {str(each.tiers[0].price) for each in book.prices if each.is_valid(day)} == {price}


def test_built_in_books_are_there() -> None:
    assert [book.name for book in built_in_books()] == ["aws", "azure", "bare-metal", "gcp", "oci"]
    assert all(price.source for book in built_in_books() for price in book.prices)


def test_the_closest_region_has_the_price() -> None:
    prices = Prices(built_in_books(), date(2026, 10, 1))

    def rate(source: str, target: str) -> set[str]:
        ends = (Place(provider="aws", region=each) for each in (source, target))
        legs, _ = prices.legs(Traffic(initiator=next(ends), acceptor=next(ends)), PathClass.CROSS_REGION)
        sent = [leg for leg in legs if leg.is_sent_by_initiator and leg.is_metered_at_initiator]
        return {str(leg.price.tiers[0].price) for leg in sent}

    assert rate("us-east-1", "us-east-2") == {"0.01"}
    assert rate("us-east-1", "us-west-2") == {"0.02"}
    assert rate("us-gov-west-1", "us-east-1") == {"0.03"}
    assert rate("xx-north-1", "us-east-1") == set()


def test_what_no_book_has_is_told_for_each_end_and_direction() -> None:
    here = Place(provider="bare-metal", region="lab")
    legs, without = Prices(built_in_books(), date(2026, 10, 1)).legs(
        Traffic(initiator=here, acceptor=Place(where=Where.INTERNET)), PathClass.INTERNET_EGRESS
    )
    assert not legs
    assert [(each.is_sent_by_initiator, each.provider) for each in without] == [
        (True, "bare-metal"),
        (False, "bare-metal"),
    ]


def named(books: tuple[PriceBook, ...]) -> dict[str, str]:
    return {book.name: book.version for book in books}


def test_a_book_of_ones_own_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "contract.toml").write_text((HEAD + ROW).replace('"mine"', '"aws"'))
    assert named(books_of(tmp_path))["aws"] == "1"
    (tmp_path / "again.toml").write_text((HEAD + ROW).replace('"mine"', '"aws"'))
    with pytest.raises(UnreadableBookError, match="both the book 'aws'"):
        books_of(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableBookError, match="is no folder"):
        books_of(tmp_path / "gone")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadableBookError, match=r"bad\.toml: cannot be read"):
        books_of(tmp_path)
