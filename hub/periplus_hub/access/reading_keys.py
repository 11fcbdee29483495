"""The job that keeps the issuer's keys as it publishes them."""

from datetime import datetime

from periplus_hub.access.service_keys import IssuerKeys
from periplus_hub.kit.errors import Refusal


class IssuerKeysJob:
    """In every process that serves: withdrawn keys go with it, and new ones are there before they are used."""

    name = "access.issuer-keys"
    interval_s = 300.0

    def __init__(self, keys: IssuerKeys) -> None:
        self._keys = keys

    async def run(self, now: datetime) -> None:
        """Raises why they could not be read, so that the job counts as failed."""
        del now
        await self._keys.read()
        if self._keys.trouble is not None:
            raise Refusal(self._keys.trouble.message, self._keys.trouble.remedy)
