"""From the start of an agent's work to the signal, or the work, that ends it."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator

from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.transport.report import Report


class FinishedError(Exception):
    """Nothing is left to do: raised anywhere in the work, it ends all of it."""


async def run_until_signal(work: Coroutine[object, object, None], report: Report) -> None:
    """Run `work` until SIGTERM or SIGINT, or until it is finished. Raises the SpokeError that ended it."""
    report.update(phase="connecting")
    failure: SpokeError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_signal())
            group.create_task(work)
    except* FinishedError:
        pass
    except* SpokeError as errors:
        failure = next(_leaves(errors))
        report.update(phase="failed", reason=failure.reason, message=failure.message, remedy=failure.remedy)
    if failure is not None:
        raise failure


async def _until_signal() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    raise FinishedError


def _leaves(errors: BaseExceptionGroup[SpokeError]) -> Iterator[SpokeError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
