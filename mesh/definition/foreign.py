"""Services that were written for other systems, and what makes services of the mesh of them."""

from importlib import import_module

_ADAPTERS = {
    "_bentoml_sdk.service.factory.Service": "mesh.compat.bentoml.services",
    "bentoml._internal.service.service.Service": "mesh.compat.bentoml.legacy",
}
"""Modules with a function `adapt` by the class, or a base of it, of what they adapt.

They are loaded only when such an object turns up, so that its library is there already.
"""


def adapted(value: object) -> object:
    """The service class for a service of another system; any other value itself.

    Raises ConfigError naming all that can't be carried over.
    """
    for base in type(value).__mro__:
        home = _ADAPTERS.get(f"{base.__module__}.{base.__qualname__}")
        if home is not None:
            found: object = import_module(home).adapt(value)
            return found
    return value
