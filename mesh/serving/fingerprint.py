"""What the code of a service is now, so that an edit of it is another release.

A source that is a target is loaded by each replica from its folders; its name alone does not tell
that the files have changed.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType


def fingerprint(classes: Iterable[type], folders: Sequence[str]) -> str:
    """A hash of the modules of `classes`, and of what they import, as far as it is in `folders`.

    Empty if none of it is there. What is installed is not looked at, nor what nobody imported yet.
    """
    roots = [Path(folder).resolve() for folder in folders]
    modules: dict[str, bytes] = {}
    waiting = [each.__module__ for each in classes]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name in modules or module is None:
            continue
        source = _source(module, roots)
        if source is not None:
            modules[name] = source
            waiting += _imported(module, source)
    if not modules:
        return ""
    digest = hashlib.sha256()
    for name, source in sorted(modules.items()):
        digest.update(f"{name}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


def _source(module: ModuleType, roots: Sequence[Path]) -> bytes | None:
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    is_installed = "site-packages" in path.parts or path.is_relative_to(sys.prefix)
    if is_installed or not any(path.is_relative_to(root) for root in roots):
        return None
    try:
        return path.read_bytes()
    except OSError:
        return None


def _imported(module: ModuleType, source: bytes) -> Iterator[str]:
    """The names of the modules that a module imports, wherever in it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                yield from (".".join(parts[: end + 1]) for end in range(len(parts)))
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            try:
                name = resolve_name(base, module.__package__ or "")
            except ImportError:
                continue
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)
