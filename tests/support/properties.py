"""How many examples a property gets, beside the usual number of the profile that runs (tests/conftest.py)."""

from hypothesis import settings


def examples(share: float) -> settings:
    """`share` of the profile's: less for a dear property, more for one whose space is large."""
    usual = settings.get_profile(settings.get_current_profile_name())
    return settings(max_examples=round(usual.max_examples * share))
