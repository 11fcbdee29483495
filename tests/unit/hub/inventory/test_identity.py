"""The identity index against an oracle that looks at every identity."""

import ipaddress
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.inventory.identity import AMBIGUOUS, FOREVER, UNKNOWN, Addresses, Entries, IdentityIndex

from tests.support.properties import examples

WORD = 2**64 - 1
ENDS = {32: (0, 2**32), 128: (0, 2**128)}


@dataclass(frozen=True)
class Identity:
    domain: int
    first: int
    length: int
    since: int
    until: int
    owner: int


def words(values: list[int]) -> Addresses:
    return Addresses(
        np.array([value >> 64 for value in values], dtype=np.uint64),
        np.array([value & WORD for value in values], dtype=np.uint64),
    )


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def index(bits: int, identities: list[Identity]) -> IdentityIndex:
    return IdentityIndex(
        Entries(
            bits=bits,
            domain=ints([each.domain for each in identities]),
            first=words([each.first for each in identities]),
            length=ints([each.length for each in identities]),
            since_us=ints([each.since for each in identities]),
            until_us=ints([each.until for each in identities]),
            owner=ints([each.owner for each in identities]),
        )
    )


def oracle(bits: int, identities: list[Identity], domain: int, address: int, time: int) -> int:
    holding = [
        each
        for each in identities
        if each.domain == domain
        and each.since <= time < each.until
        and each.first <= address < each.first + 2 ** (bits - each.length)
    ]
    if not holding:
        return UNKNOWN
    longest = max(each.length for each in holding)
    owners = {each.owner for each in holding if each.length == longest}
    return owners.pop() if len(owners) == 1 else AMBIGUOUS


@st.composite
def identities(draw: st.DrawFn, bits: int) -> Identity:
    length = draw(st.sampled_from([0, 1, bits // 2, bits - 8, bits - 3, bits - 1, bits]))
    # Few distinct addresses around interesting edges, so that identities meet.
    address = draw(st.sampled_from([0, 2**bits - 1, 2 ** (bits // 2), 2 ** (bits // 2) - 1])) + draw(st.integers(-9, 9))
    first = (address % 2**bits) >> (bits - length) << (bits - length)
    since = draw(st.integers(0, 8))
    until = draw(st.one_of(st.just(FOREVER), st.integers(0, 10)))
    return Identity(draw(st.integers(0, 2)), first, length, since, until, draw(st.integers(0, 3)))


def check_all(bits: int, held: list[Identity], moments: list[int]) -> None:
    built = index(bits, held)
    edges = {each.first + step for each in held for step in (-1, 0, 1, 2 ** (bits - each.length))}
    questions = [
        (domain, address % 2**bits, time) for domain in range(4) for address in sorted(edges) for time in moments
    ]
    domain, address, time = (list(column) for column in zip(*questions, strict=True)) if questions else ([], [], [])
    expected = [oracle(bits, held, *question) for question in questions]
    assert built.owners(ints(domain), words(address), ints(time)).tolist() == expected
    for moment in moments:
        chosen = [position for position, value in enumerate(time) if value == moment]
        asked = ints([domain[position] for position in chosen]), words([address[position] for position in chosen])
        assert built.at(moment).owners(*asked).tolist() == [expected[position] for position in chosen]


@pytest.mark.promise("owners-are-not-guessed")
@examples(1.5)
@given(
    held=st.lists(identities(32), max_size=12),
    moments=st.lists(st.integers(0, 11), min_size=1, max_size=3, unique=True),
)
def test_ipv4_answers_are_those_of_looking_at_every_identity(held: list[Identity], moments: list[int]) -> None:
    check_all(32, held, moments)


@pytest.mark.promise("owners-are-not-guessed")
@examples(1.5)
@given(
    held=st.lists(identities(128), max_size=12),
    moments=st.lists(st.integers(0, 11), min_size=1, max_size=3, unique=True),
)
def test_ipv6_answers_are_those_of_looking_at_every_identity(held: list[Identity], moments: list[int]) -> None:
    check_all(128, held, moments)


@pytest.mark.promise("owners-are-not-guessed")
def test_two_owners_of_one_address_are_ambiguous_and_both_are_named() -> None:
    address = int(ipaddress.ip_address("10.0.0.7"))
    built = index(32, [Identity(0, address, 32, 0, FOREVER, 1), Identity(0, address, 32, 5, 9, 2)])
    asked = ints([0, 0, 0]), words([address] * 3)
    assert built.owners(*asked, ints([4, 6, 9])).tolist() == [1, AMBIGUOUS, 1]
    assert built.every_owner(0, address, 6) == [1, 2]
    assert built.every_owner(1, address, 6) == []


@pytest.mark.promise("owners-are-not-guessed")
def test_one_address_in_two_domains_has_two_owners() -> None:
    address = int(ipaddress.ip_address("10.0.0.7"))
    built = index(32, [Identity(0, address, 32, 0, FOREVER, 1), Identity(1, address, 32, 0, FOREVER, 2)])
    assert built.at(1).owners(ints([0, 1, 2]), words([address] * 3)).tolist() == [1, 2, UNKNOWN]
