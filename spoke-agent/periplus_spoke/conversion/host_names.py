"""Names of hosts as sources write them, and as the contract has them."""

import re
from typing import Final

from periplus_contract.hosts import is_host

_PORT: Final = re.compile(r":\d{1,5}\Z")
_CLUSTERSET: Final = ".svc.clusterset.local"


def host_name(text: str) -> str:
    """The name in a label, a header or an answer of DNS; '' for what names nobody.

    A name of one label means what the search path of the client makes of it, which nobody else knows.
    """
    name = _PORT.sub("", text).removesuffix(".").lower()
    return name if "." in name and is_host(name) else ""


def is_of_clusterset(host: str) -> bool:
    """Whether it is a service that any cluster of a clusterset may have."""
    return host.endswith(_CLUSTERSET)
