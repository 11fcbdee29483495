"""CIDRs as integers: parse, check, and turn into the keys everything else sorts by.

A prefix is left-aligned in 128 bits in both families (10.0.0.0/8 starts with the byte 10), so containment is one
comparison of numbers whatever the family; families never mix. Stored keys are 17 bytes: the family and the 16-byte
address, IPv4 right-aligned (addresses/ipam/tables.py).

What cannot be an allocation is refused with a reason instead of being repaired: host bits set, a default route,
IPv4-mapped IPv6 (two spellings of one address would hide an overlap).
"""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from periplus_contract.rejections import Reason

ADDRESS_BITS: Final = 128
KEY_BYTES: Final = 17
IPV4: Final = 4
IPV6: Final = 6
FAMILY_BITS: Final = {IPV4: 32, IPV6: 128}
_SOCKET_FAMILY: Final = {IPV4: socket.AF_INET, IPV6: socket.AF_INET6}
_MAX_TEXT: Final = 64
_MAPPED: Final = 0xFFFF

REMEDIES: Final = {
    Reason.BAD_CIDR: "Write address/length, as in 10.0.0.0/16.",
    Reason.HOST_BITS: "Clear the bits behind the prefix length, or make the length longer.",
    Reason.DEFAULT_ROUTE: "Name the ranges that are really in use instead of /0.",
    Reason.IPV4_MAPPED: "Write the address as IPv4.",
}


class BadPrefix(ValueError):
    """The text is no CIDR in use; `reason` is one of the keys of REMEDIES."""

    def __init__(self, text: str, reason: Reason) -> None:
        super().__init__(f"{text[:_MAX_TEXT]!r} is refused ({reason}). {REMEDIES[reason]}")
        self.reason = reason


class Prefix(NamedTuple):
    """A CIDR; `value` is left-aligned in 128 bits. Tuple order is tree order: parents before children."""

    family: int
    value: int
    length: int

    @property
    def last(self) -> int:
        """The highest left-aligned value inside."""
        return self.value | ((1 << (ADDRESS_BITS - self.length)) - 1)

    def covers(self, other: "Prefix") -> bool:
        """Whether `other` is equal or inside."""
        return (
            self.family == other.family
            and self.length <= other.length
            and (self.value ^ other.value) >> (ADDRESS_BITS - self.length) == 0
        )

    def around(self) -> Iterator["Prefix"]:
        """Every wider one that it lies in, but for /0."""
        for length in range(1, self.length):
            yield Prefix(self.family, self.value >> (ADDRESS_BITS - length) << (ADDRESS_BITS - length), length)

    def __str__(self) -> str:
        shift = ADDRESS_BITS - FAMILY_BITS[self.family]
        address = IPv4Address(self.value >> shift) if self.family == IPV4 else IPv6Address(self.value)
        return f"{address}/{self.length}"

    def keys(self) -> tuple[bytes, bytes]:
        """`first_key` and `last_key` as stored."""
        shift = ADDRESS_BITS - FAMILY_BITS[self.family]
        family = bytes((self.family,))
        return family + (self.value >> shift).to_bytes(16, "big"), family + (self.last >> shift).to_bytes(16, "big")


def parse(text: str) -> Prefix:
    """`address/length`; raises BadPrefix."""
    address, slash, length_text = text.partition("/")
    family = IPV6 if ":" in address else IPV4
    bits = FAMILY_BITS[family]
    # `int` takes " 8", "+8", "1_6" and the digits of any script.
    if not slash or not (length_text.isascii() and length_text.isdigit()) or len(length_text) > len("128"):
        raise BadPrefix(text, Reason.BAD_CIDR)
    length = int(length_text)
    try:
        # Ten times as fast as `ipaddress`, and as strict: no zone, no leading zeros, no octal. A NUL is a ValueError.
        packed = socket.inet_pton(_SOCKET_FAMILY[family], address)
    except (OSError, ValueError) as error:
        raise BadPrefix(text, Reason.BAD_CIDR) from error
    if length > bits:
        raise BadPrefix(text, Reason.BAD_CIDR)
    value = int.from_bytes(packed, "big") << (ADDRESS_BITS - bits)
    return Prefix(family, *_checked(text, value, length, family))


def _checked(text: str, value: int, length: int, family: int) -> tuple[int, int]:
    if length == 0:
        raise BadPrefix(text, Reason.DEFAULT_ROUTE)
    if value & ((1 << (ADDRESS_BITS - length)) - 1):
        raise BadPrefix(text, Reason.HOST_BITS)
    if family == IPV6 and value >> 32 == _MAPPED:
        raise BadPrefix(text, Reason.IPV4_MAPPED)
    return value, length


def from_keys(first_key: bytes, last_key: bytes) -> Prefix:
    """The prefix of two stored keys."""
    family = first_key[0]
    first, last = int.from_bytes(first_key[1:], "big"), int.from_bytes(last_key[1:], "big")
    bits = FAMILY_BITS[family]
    return Prefix(family, first << (ADDRESS_BITS - bits), bits - (first ^ last).bit_length())
