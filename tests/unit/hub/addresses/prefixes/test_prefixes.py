"""CIDRs as numbers, keys and columns."""

from contextlib import suppress
from ipaddress import ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.rejections import Reason
from periplus_hub.addresses.prefixes.prefix import BadPrefix, Prefix, from_keys, parse

from tests.support.prefix_columns import prefix_columns

networks = st.one_of(
    st.builds(
        lambda address, length: ip_network((address, length), strict=False),
        st.ip_addresses(v=4),
        st.integers(1, 32),
    ),
    st.builds(
        lambda address, length: ip_network((address, length), strict=False),
        st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None),
        st.integers(1, 128),
    ),
)


@given(networks)
def test_text_and_keys_lead_back(network: object) -> None:
    prefix = parse(str(network))
    assert str(prefix) == str(network)
    assert from_keys(*prefix.keys()) == prefix


@given(st.lists(networks, min_size=1, max_size=20))
def test_columns_of_stored_keys_are_the_prefixes(found: list[object]) -> None:
    expected = [parse(str(network)) for network in found]
    columns = prefix_columns(expected)
    values = zip(columns.family.tolist(), columns.high.tolist(), columns.low.tolist(), strict=True)
    lengths = columns.length.tolist()
    assert [Prefix(f, h << 64 | lo, n) for (f, h, lo), n in zip(values, lengths, strict=True)] == expected
    assert columns.high.dtype == np.uint64


@given(networks, networks)
def test_covering_and_key_order_agree_with_the_standard_library(a: object, b: object) -> None:
    one, other = parse(str(a)), parse(str(b))
    inside = a.version == b.version and b.subnet_of(a)  # type: ignore[attr-defined] # either kind of network
    assert one.covers(other) == inside
    (first_a, last_a), (first_b, last_b) = one.keys(), other.keys()
    assert (first_a <= first_b and last_b <= last_a) == inside


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.1/8", Reason.HOST_BITS),
        ("fd00::1/64", Reason.HOST_BITS),
        ("0.0.0.0/0", Reason.DEFAULT_ROUTE),
        ("::/0", Reason.DEFAULT_ROUTE),
        ("::ffff:10.0.0.0/104", Reason.IPV4_MAPPED),
        ("::ffff:10.0.0.1/128", Reason.IPV4_MAPPED),
        ("10.0.0.0", Reason.BAD_CIDR),
        ("10.0.0.0/33", Reason.BAD_CIDR),
        ("10.0.0.0/-1", Reason.BAD_CIDR),
        ("10.0.0/8", Reason.BAD_CIDR),
        ("010.0.0.0/8", Reason.BAD_CIDR),
        ("fe80::%eth0/64", Reason.BAD_CIDR),
        ("10.0.0.0/8\0", Reason.BAD_CIDR),
        ("10.0.0.0/٨", Reason.BAD_CIDR),
        ("", Reason.BAD_CIDR),
        ("/", Reason.BAD_CIDR),
        ("x" * 5000, Reason.BAD_CIDR),
    ],
)
def test_what_is_no_range_in_use_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(BadPrefix) as refused:
        parse(text)
    assert refused.value.reason == reason
    assert len(str(refused.value)) < 250


@given(st.text(max_size=60))
def test_any_text_is_a_prefix_or_refused(text: str) -> None:
    with suppress(BadPrefix):
        assert ip_network(str(parse(text)))
