"""Addresses as people write them."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from periplus_hub.kit.errors import Invalid


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """An address; raises Invalid naming the text. An IPv4 address mapped into IPv6 is the IPv4 address."""
    try:
        address = ip_address(text.strip())
    except ValueError as error:
        raise Invalid(f"{text[:64]!r} is not an IP address", "Write it like 10.0.0.1 or fd00::1.") from error
    return getattr(address, "ipv4_mapped", None) or address
