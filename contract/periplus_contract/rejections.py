"""Why a hub sets a row aside. The rest of its batch goes on, and the answer counts such rows by reason.

A spoke takes reasons that it does not know as they are: minors add some.
"""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """A row counts under the first that is true of it."""

    MISSING_VALUE = "missing_value"
    """A column that must be filled in every row is null."""
    TEXT_TOO_LONG = "text_too_long"
    """Longer than `MAX_TEXT_BYTES`, or in a column that tells rows apart than `MAX_KEY_BYTES`."""
    TOO_MANY_ITEMS = "too_many_items"
    """A list longer than `MAX_LIST_ITEMS`."""
    BAD_TEXT = "bad_text"
    """A NUL, which PostgreSQL cannot store, or a null inside a list."""
    BAD_TIME = "bad_time"
    """Before `EARLIEST_US` or after `LATEST_US`."""
    OUT_OF_RANGE = "out_of_range"
    """A number that its column does not take, like a negative measure."""
    OUTSIDE_WINDOW = "outside_window"
    """A row whose window is not within that of its batch."""
    DANGLING_REFERENCE = "dangling_reference"
    """A number of a row in another section that has no such row, or of one that was set aside."""
    BAD_OP = "bad_op"
    """Neither `upsert` nor `delete`."""
    BAD_HOST = "bad_host"
    """A host that is no name, too long, or in another than the one way of writing."""
    BAD_ADDRESS = "bad_address"
    """No address or CIDR of its family, or one in another than the canonical form."""
    DUPLICATE_UID = "duplicate_uid"
    """A uid more than once in one section: the last counts, as what the object became."""
    UNKNOWN_TABLE = "unknown_table"
    """A section of a table that this hub does not take: all its rows."""
    CLOCK_AHEAD = "clock_ahead"
    """The window starts more than `MAX_CLOCK_AHEAD_S` in the hub's future: every row of the batch."""
    BAD_KIND = "bad_kind"
    """An allocation of a kind that a cluster cannot report."""
    NOT_COVERED = "not_covered"
    """Of a kind or scope that its batch does not state completely."""
    BAD_COUNT = "bad_count"
    """A pool's count that is no decimal number, or none that addresses could have."""
    BAD_FAMILY = "bad_family"
    """A pool whose family is neither 4 nor 6, or not that of its CIDRs."""
    DUPLICATE_POOL = "duplicate_pool"
    """A pool twice in one statement: the first counts."""
    BAD_CIDR = "bad_cidr"
    """A range that is not written as address/length."""
    HOST_BITS = "host_bits"
    """A range with bits set behind its length."""
    DEFAULT_ROUTE = "default_route"
    """A range of length 0."""
    IPV4_MAPPED = "ipv4_mapped"
    """A range of IPv4 addresses that is written as IPv6."""
    NO_RANGE_OF_A_CLUSTER = "no_range_of_a_cluster"
    """An allocation of loopback, link-local or multicast addresses, which mean another thing on every machine."""
    TOO_WIDE = "too_wide"
    """An allocation wider than /8 of IPv4 or /16 of IPv6: no one organisation was ever given more."""
    TOO_MANY_RANGES = "too_many_ranges"
    """An allocation beyond what this hub takes of one kind from one cluster: those with the highest addresses."""


HARMLESS: Final = frozenset({Reason.NO_RANGE_OF_A_CLUSTER})
"""Reasons of rows without which nothing is missing: whatever else is set aside leaves something unknown."""
