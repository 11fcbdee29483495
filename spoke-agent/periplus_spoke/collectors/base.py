"""What a collector is. Adding one: a module, a line in a registry, and its `CollectorContract` test."""

import asyncio
from typing import Protocol

from periplus_contract.tables import Kind
from periplus_spoke.conversion.records import Sealable


class Sink(Protocol):
    """Takes what was observed; when `emit` returns it is durable."""

    async def emit(self, sealable: Sealable) -> None:
        """Seal it, in as many parts as it needs."""


class Collector(Protocol):
    """Observes one thing and tells it as batches of one kind. Built inert: it reads nothing before `run`."""

    @property
    def name(self) -> str:
        """For logs; lower case, words joined by hyphens."""

    @property
    def kind(self) -> Kind:
        """The kind of all its batches."""

    @property
    def settled(self) -> asyncio.Event:
        """Set while everything that was asked for has been emitted: the first picture, and each later one."""

    def request_snapshot(self) -> None:
        """Tell everything that is not over again, soon; may be called at any time, from the same loop.

        A collector of windows, which nothing states again, has nothing to do.
        """

    async def run(self, sink: Sink) -> None:
        """Tell `sink` what is, then what happens, until cancelled. `sink.emit` is the only way out of it.

        Trouble with what it reads stays inside: it says so, tells what it can, and tries again. What it raises ends
        the agent.
        """
