"""CIDRs that people type."""

from periplus_hub.addresses.prefixes.prefix import BadPrefix, Prefix, parse
from periplus_hub.kit.errors import Invalid


def wanted_prefix(text: str) -> Prefix:
    """A CIDR a person typed; raises Invalid."""
    try:
        return parse(text)
    except BadPrefix as error:
        raise Invalid(str(error), "Write a CIDR such as 10.0.0.0/16.") from error
