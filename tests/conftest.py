"""Shared by every folder: only what the tools themselves need. Fixtures with a meaning live beside their tests."""

from hypothesis import settings

# The same examples in every run, and no verdict about speed: a red test is red for whoever looks next.
settings.register_profile("periplus", deadline=None, derandomize=True, database=None)
settings.load_profile("periplus")

pytest_plugins = ("tests.support.hub_db",)
