"""Classes as bytes, for those that no module holds: defined in a test, a notebook, a script."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack

from ray import cloudpickle

from mesh.definition.spec import ServiceSpec
from mesh.errors import ConfigError


def pickled_class(entry: type, services: Iterable[ServiceSpec]) -> bytes:
    """The class with all that it needs of its own modules; Ray carries it to the replicas.

    Raises:
        ConfigError: something that the class refers to cannot be sent.
    """
    modules = {sys.modules[service.cls.__module__] for service in services}
    with ExitStack() as stack:
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
            stack.callback(cloudpickle.unregister_pickle_by_value, module)
        try:
            code: bytes = cloudpickle.dumps(entry)
        except Exception as error:
            raise ConfigError(
                f"{entry.__name__} cannot be sent to other processes: {error}"
            ) from error
    return code
