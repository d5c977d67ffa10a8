"""From a target such as `pkg.mod:Service` to the class."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mesh.definition.foreign import adapted
from mesh.definition.spec import is_service, service_spec
from mesh.errors import ConfigError


def load(target: str, path: Sequence[str] = ()) -> type:
    """The service class that `pkg.mod:Service` names; `path` goes in front of `sys.path`.

    A target without `:Service` means the one service of the module that no other depends on.
    Raises ConfigError with one line: what can't be found, what is no service, or what went wrong
    in the module and where.
    """
    module_name, _, name = target.partition(":")
    if not module_name or (":" in target and not name):
        raise ConfigError(f"{target!r} is no target such as 'package.module:Service'")
    sys.path[:0] = [entry for entry in path if entry not in sys.path]
    module = _imported(module_name)
    return _named(module, name) if name else _only(module)


def is_importable(name: str) -> bool:
    """Whether there is a module of this name, without a dot in it; it is not loaded."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it is loaded, but not from anywhere
        return True


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The target itself, or something that it imports in turn.
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigError(f"cannot import {name!r}: {_line(error)}") from error
        raise ConfigError(_failure(name, error)) from error
    except (Exception, SystemExit) as error:
        raise ConfigError(_failure(name, error)) from error


def _failure(name: str, error: BaseException) -> str:
    place = ""
    if isinstance(error, SyntaxError):
        place = f" ({error.filename}:{error.lineno})"
    else:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame)]
        if own:
            place = f" ({own[-1].filename}:{own[-1].lineno})"
    return f"cannot import {name!r}: {type(error).__name__}: {_line(error)}{place}"


def _is_own(frame: traceback.FrameSummary) -> bool:
    """Whether the frame is in the user's code: not in the import system, not in the mesh."""
    library = str(Path(__file__).parents[1])
    return not frame.filename.startswith(("<frozen", library, importlib.__file__))


def _line(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(str(message).split()) or "no message"


def _named(module: ModuleType, name: str) -> type:
    found: object = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConfigError(f"module {module.__name__!r} has no {name!r}") from None
    found = adapted(found)
    if not is_service(found):
        raise ConfigError(
            f"{name!r} in module {module.__name__!r} is not a service: decorate with @mesh.service"
        )
    return found


def _only(module: ModuleType) -> type:
    values = {name: adapted(value) for name, value in vars(module).items()}
    services = {value: name for name, value in values.items() if is_service(value)}
    used = {on for each in services for on in service_spec(each).dependencies.values()}
    entries = [each for each in services if each not in used]
    if len(entries) == 1:
        return entries[0]
    name = module.__name__
    if not services:
        raise ConfigError(f"module {name!r} has no service: decorate a class with @mesh.service")
    found = ", ".join(f"'{name}:{each}'" for each in sorted(services.values()))
    raise ConfigError(f"module {name!r} has several services; name one: {found}")
