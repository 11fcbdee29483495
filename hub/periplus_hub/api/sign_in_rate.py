"""How often one address may begin and finish sign-ins: each that comes back is a question to the issuer."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.seats import Network, site_of

AT_ONCE: Final = 60.0
EACH_S: Final = 1.0
"""What comes back each second, up to AT_ONCE: an office behind one address signs in within a few minutes."""
_MOST_SITES: Final = 10_000


@dataclass(slots=True)
class SignInRate:
    """A bucket for each address (IPv6: each /64). Proxies have none, as for connections: limit there."""

    clock: Clock
    proxies: Sequence[Network]
    _levels: "OrderedDict[Network, tuple[float, float]]" = field(default_factory=OrderedDict)

    def takes(self, address: str) -> bool:
        """Whether one more may come from there now."""
        site = site_of(address, self.proxies) if address else None
        if site is None:
            return True
        now_s = self.clock.monotonic_s()
        level, at_s = self._levels.pop(site, (AT_ONCE, now_s))
        level = min(AT_ONCE, level + (now_s - at_s) * EACH_S)
        enough = level >= 1
        # At the end: the front is who has not asked for the longest.
        self._levels[site] = (level - 1 if enough else level, now_s)
        while len(self._levels) > _MOST_SITES:
            self._levels.popitem(last=False)
        return enough
