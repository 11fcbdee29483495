"""Connections of 1,000 and 10,000 nodes x 10 fields: our executor against stock Strawberry, in one run.

Times execution of a prepared document plus serialising with msgspec (stock: the standard json module, as it does).
Targets: 8 and 40 ms. Run: make bench ROW=graphql
"""

import asyncio
import gc
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any, Final

import msgspec
import strawberry
from graphql import execute, parse

from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.kit.graphql_scalars import BigInt

from benchmarks._row import report
from tests.support.graphql_toy import Color, Inner, Thing, Toy, toy_schema

ROUNDS: Final = 7
TARGETS_MS: Final = {1_000: 8, 10_000: 40}
QUERY: Final = "{clusters(first:%d){total nodes{id name note count share flag color at bytesTx tags}}}"


def things(count: int) -> list[Thing]:
    """Rows like a fleet's pods."""
    inner = Inner(name="inner", size=None)
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return [
        Thing(
            id=strawberry.ID(f"Pod:{number}"),
            name=f"pod-{number}",
            note=None,
            count=number,
            share=0.5,
            flag=True,
            color=Color.RED,
            at=at,
            bytes_tx=BigInt(number << 40),
            price=Decimal(1),
            tags=["app=web", "tier=front"],
            sizes=None,
            inner=inner,
            core=inner,
        )
        for number in range(count)
    ]


def stock(count: int, root: Toy) -> Callable[[], bytes]:
    """Strawberry as it comes, parse and validation included."""
    schema = toy_schema(None)

    def run() -> bytes:
        result: Any = asyncio.run(schema.execute(QUERY % count, root_value=root))
        return json.dumps({"data": result.data}).encode()

    return run


def ours(count: int, root: Toy) -> Callable[[], bytes]:
    """The hub's path after its document cache."""
    schema = toy_schema()._schema  # noqa: SLF001 - Strawberry shows graphql-core's schema nowhere else
    document = parse(QUERY % count)

    def run() -> bytes:
        result: Any = execute(schema, document, root_value=root, executor_class=CompiledExecutor)
        return msgspec.json.encode({"data": result.data})

    return run


def best_ms(run: Callable[[], bytes]) -> float:
    """Best of ROUNDS."""
    times = []
    for _ in range(ROUNDS):
        gc.collect()
        began = perf_counter()
        run()
        times.append((perf_counter() - began) * 1_000)
    return min(times)


def main() -> int:
    """Print both and their ratio; fail when a target is missed."""
    measured: dict[str, float] = {}
    for count in TARGETS_MS:
        root = Toy(things(count))
        fast, slow = ours(count, root), stock(count, root)
        if json.loads(fast()) != json.loads(slow()):
            print("the answers differ")
            return 1
        fast_ms, slow_ms = best_ms(fast), best_ms(slow)
        print(
            f"{count:6} nodes x 10: {fast_ms:7.2f} ms, stock {slow_ms:7.2f} ms, {slow_ms / fast_ms:5.1f} times faster"
        )
        measured |= {f"ms_{count}": round(fast_ms, 2), f"times_faster_{count}": round(slow_ms / fast_ms, 1)}
    return int(not report("graphql", measured, {f"ms_{count}": bound for count, bound in TARGETS_MS.items()}))


if __name__ == "__main__":
    sys.exit(main())
