"""What a person types for an address, a range or a time, looked at before the hub is asked: that answers in GraphQL."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final, NoReturn

import typer

from periplus_hub.api.cli.exit_codes import Exit, fail

_MOST_DAYS: Final = 731


def address_of(text: str) -> str:
    """An IP address, one of IPv4 also where it is written as IPv6 (::ffff:10.1.2.3); leaves for anything else."""
    if "%" in text:
        _no(text, "is of one interface (%)", "Give an address that means the same everywhere, like 10.1.2.3.")
    try:
        found = ip_address(text)
    except ValueError:
        _no(text, "is no IP address", "Give one like 10.1.2.3 or fd00::1.")
    return str(getattr(found, "ipv4_mapped", None) or found)


def range_of(text: str) -> str:
    """A CIDR; leaves for anything else, and for what only may be meant as one."""
    address, slash, length = text.partition("/")
    try:
        meant = ip_network(text)
    except ValueError as error:
        if "host bits set" in str(error):
            _no(text, "is an address in a range", f"Do you mean {ip_network(text, strict=False)}?")
        _no(text, "is no range of addresses", "Give one like 10.0.0.0/16 or fd00::/48.")
    if not slash:
        _no(text, "has no length", f"Say how long its prefix is, as {address}/16; this address alone is {meant}.")
    if not (length.isascii() and length.isdecimal()):
        _no(text, "has a mask where its length stands", f"Do you mean {meant}?")
    return str(meant)


def range_or_address(text: str) -> str:
    """A CIDR, or an address, which means just that one; leaves for anything else."""
    return range_of(text) if "/" in text else str(ip_network(address_of(text)))


def time_of(option: str, text: str) -> str:
    """An instant, UTC unless it says; leaves for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        fail(f"{option} {text!r} is no time", "Give one like 2026-01-31T12:00:00Z.", Exit.USAGE)


def names_of(given: Iterable[str] | None) -> list[str]:
    """Names typed apart, with commas between them, or both; each once. No name has a comma."""
    names = (name.strip() for text in given or () for name in text.split(","))
    return list(dict.fromkeys(filter(None, names)))


def nothing_before(context: typer.Context) -> None:
    """Leaves for options of a group that stand before one of its commands: they would say nothing there."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        option = next(each for each in context.command.params if each.name == given[0]).opts[0]
        command = context.invoked_subcommand
        fail(
            f"{option} before {command!r} says nothing",
            f"Put what {command!r} takes behind it: see '{context.command_path} {command} --help'.",
            Exit.USAGE,
        )


def days_of(option: str, text: str) -> timedelta:
    """A number of days, like 30d; leaves for anything else."""
    number = text.removesuffix("d")
    if not re.fullmatch("[0-9]{1,3}", number) or not 0 < int(number) <= _MOST_DAYS:
        fail(f"{option} {text!r} is no number of days", f"Give one like 30d, at most {_MOST_DAYS}d.", Exit.USAGE)
    return timedelta(days=int(number))


def _no(text: str, why: str, remedy: str) -> NoReturn:
    fail(f"{text!r} {why}", remedy, Exit.USAGE)
