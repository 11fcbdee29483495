"""Import a few modules of kubernetes_asyncio instead of seven hundred.

`import kubernetes_asyncio` builds a model class for every API type: 68 MiB and two seconds, none of which the spoke
needs, because it decodes JSON itself. The package files are therefore entered in `sys.modules` without running their
`__init__`: with their real search path, so that single modules below them import as usual. Only the configuration
loaders are ever loaded.
"""

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Final

from periplus_spoke.kube.connection import Configuration

_ROOT: Final = "kubernetes_asyncio"


def register() -> None:
    """Enter the stand-ins; does nothing when someone has already imported the whole package."""
    if _ROOT in sys.modules:
        return
    _enter(_ROOT)
    client = _enter(f"{_ROOT}.client")
    _enter(f"{_ROOT}.config")
    # The configuration loaders import these two names from the package, to use them in functions we never call.
    client.__dict__["Configuration"] = Configuration
    client.__dict__["ApiClient"] = object


def _enter(name: str) -> ModuleType:
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed: install periplus-spoke with its dependencies")
    module = module_from_spec(spec)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    return module
