"""The official client's Configuration and RESTClientObject, without the rest of the `kubernetes` package.

`kubernetes/__init__.py` (37.0) imports every subpackage: pydantic, requests, oauthlib, a third of a second. Registering
the package before its `__init__` has run lets the two modules be imported alone, in a tenth. The package stays whole
for others in the process: the first time somebody asks it for anything more, its `__init__` runs after all.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any


def _register_unexecuted(name: str) -> ModuleType | None:
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    return package


def _execute_on_demand(package: ModuleType) -> None:
    def missing(attribute: str) -> Any:
        if (
            vars(package).pop("__getattr__", None) is None
            or package.__spec__ is None
            or package.__spec__.loader is None
        ):
            raise AttributeError(attribute)
        package.__spec__.loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = missing


_package = None if "kubernetes" in sys.modules else _register_unexecuted("kubernetes")

from kubernetes.client.configuration import Configuration  # noqa: E402 - only after the package is registered
from kubernetes.client.rest import RESTClientObject, is_socks_proxy_url  # noqa: E402

if _package is not None:
    _execute_on_demand(_package)

__all__ = ["Configuration", "RESTClientObject", "is_socks_proxy_url"]
