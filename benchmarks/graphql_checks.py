"""CPU time in which the checks of a GraphQL request refuse each bomb of the tests' corpus. Target: 50 ms each.

Run: make bench ROW=graphql_checks
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from time import process_time
from typing import Final

from periplus_hub.api.graphql_checks import RequestChecks, decode_request, read_body
from periplus_hub.api.graphql_documents import Documents
from periplus_hub.api.graphql_limits import LIMITS, GraphQLRefusal

from benchmarks._row import report
from tests.support.graphql_bombs import BOMBS
from tests.support.graphql_toy import toy_schema

ROUNDS: Final = 5
TARGET_MS: Final = 50


async def refuse(body: bytes, checks: RequestChecks) -> str:
    """The code of the refusal."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    try:
        request = decode_request(await read_body(chunks(), LIMITS), LIMITS)
        await checks.admit(request, "bench", now_s=0, ad_hoc=True)
    except GraphQLRefusal as refusal:
        return refusal.code
    return "ADMITTED"


def measure(body: bytes) -> tuple[float, str]:
    """Best CPU milliseconds of all threads, and the verdict."""
    schema = toy_schema()._schema  # noqa: SLF001 - Strawberry shows graphql-core's schema nowhere else
    best, code = float("inf"), ""
    for _ in range(ROUNDS):
        checks = RequestChecks(schema, LIMITS, Documents(schema, LIMITS))
        began = process_time()
        code = asyncio.run(refuse(body, checks))
        best = min(best, (process_time() - began) * 1_000)
    return best, code


def main() -> int:
    """Print every bomb, worst first; fail when one passes or takes too long."""
    results = sorted(((*measure(body), name) for name, body in BOMBS.items()), reverse=True)
    for ms, code, name in results:
        print(f"{name:32} {ms:8.2f} ms  {ms / TARGET_MS:5.2f} of target  {code}")
    admitted = sum(code == "ADMITTED" for _, code, _ in results)
    measured = {"worst_ms": round(results[0][0], 2), "bombs": len(results), "admitted": admitted}
    return int(not report("graphql_checks", measured, {"worst_ms": TARGET_MS, "admitted": 0}))


if __name__ == "__main__":
    sys.exit(main())
