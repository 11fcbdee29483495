"""Each test finds logging as Python starts with it, whichever program earlier tests ran in this process."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a hub or a spoke sets for its whole process ends with the test that ran it."""
    hooks = threading.excepthook, sys.unraisablehook
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    named = {name: each for name, each in root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    were = [(each, each.level, each.propagate, list(each.handlers)) for each in named.values()]
    yield
    threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    for handler in [each for each in root.handlers if each not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    for each, was, propagates, handlers in were:
        each.setLevel(was)
        each.propagate, each.handlers = propagates, handlers
