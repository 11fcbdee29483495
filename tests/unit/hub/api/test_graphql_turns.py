"""Dear operations leave the event loop to short ones, and only to them."""

from uuid import UUID

import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.api.graphql_turns import DEAR, Operations

from tests.support.clock import FakeClock

SCOPE = system_scope(UUID(int=1), "test")


async def run(operations: Operations, clock: FakeClock, cost: float, took_s: float) -> None:
    async with operations.turn(SCOPE, cost):
        clock.advance(took_s)


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_a_dear_operation_rests_after_another_while_there_are_short_ones() -> None:
    clock = FakeClock()
    operations = Operations(clock, 6)
    await run(operations, clock, 2 * DEAR, 0.1)
    assert operations.rest_s() == 0, "nobody else is there"
    await run(operations, clock, 1, 0.0)
    assert operations.rest_s() == pytest.approx(0.2)
    clock.advance(0.2)
    assert operations.rest_s() == pytest.approx(0)


async def test_the_rest_is_short_however_long_it_took() -> None:
    clock = FakeClock()
    operations = Operations(clock, 6)
    await run(operations, clock, 2 * DEAR, 8.0)
    await run(operations, clock, 1, 0.0)
    assert operations.rest_s() == pytest.approx(0.25)
