"""Errors a person must act on: each names the thing, and the remedy."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `periplus-spoke`; scripts rely on them. They are those of `periplus`, where 2 is taken."""

    OK = 0
    FAILED = 1
    CLUSTER_UNREACHABLE = 3
    HUB_REFUSED = 4
    USAGE = 64
    INTERRUPTED = 130


class SpokeError(Exception):
    """Stops the command. `reason` is a slug for machines, the rest is for people."""

    exit_code: Exit = Exit.FAILED

    def __init__(self, reason: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy


class ConfigError(SpokeError):
    """A flag, variable, key or file that cannot be used."""

    exit_code = Exit.USAGE


class ClusterError(SpokeError):
    """The Kubernetes API server cannot be read."""

    exit_code = Exit.CLUSTER_UNREACHABLE


class HubRefusedForGoodError(SpokeError):
    """The hub said no, in a way waiting does not cure."""

    exit_code = Exit.HUB_REFUSED
