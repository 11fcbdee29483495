"""Shared by every folder: only what the tools themselves need. Fixtures with a meaning live beside their tests."""

import os

from hypothesis import HealthCheck, settings

# The same examples in every run, and no verdict about speed: a red test is red for whoever looks next.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], stateful_step_count=40)
settings.register_profile("periplus", _UNHURRIED, derandomize=True, database=None)
# `make test-random`: other examples each time, and ten times as many. What fails is printed with what repeats it.
settings.register_profile("random", _UNHURRIED, max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("PERIPLUS_TEST_PROFILE", "periplus"))

pytest_plugins = (
    "tests.support.flow_stores",
    "tests.support.hub_db",
    "tests.support.own_logging",
    "tests.support.permitted",
    "tests.support.providers",
)
