from importlib.metadata import version

from periplus_spoke.kit.version import VERSION


def test_the_version_is_the_package_s() -> None:
    assert version("periplus-spoke") == VERSION
