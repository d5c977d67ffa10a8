"""Which part may import which, stated once; see the table of directions in CONTRIBUTING.md."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = {"mesh.errors", "mesh.call", "mesh.clock", "mesh.edge"}
DECIDING = {
    f"mesh.control.{name}"
    for name in (
        "autoscale",
        "canary",
        "desired",
        "fleet",
        "loads",
        "observed",
        "outcomes",
        "placement",
        "publish",
        "reconcile",
        "records",
        "rollout",
        "sequential",
        "status",
    )
}
LINK = ("alarms", "control.loads", "observe", "traffic", "v1", "varint")
REPLICA = (
    "alarms",
    "config",
    "control.loads",
    "definition",
    "io",
    "launch",
    "link",
    "loops",
    "memory",
    "observe",
    "traffic",
)
RELEASES = (
    "admission",
    "injected",
    "plan",
    "records",
    "store.catalogue",
    "store.location",
    "verbs",
)
# What each part may import of ours, besides itself. A part that is not here may import any.
DIRECTIONS = {
    "mesh.errors": set[str](),
    "mesh.clock": set[str](),
    "mesh.call": set[str](),
    "mesh.edge": set[str](),
    "mesh.launch": {"mesh.call"},
    "mesh.alarms": set[str](),
    "mesh.varint": set[str](),
    "mesh.inflate": set[str](),
    "mesh.loops": set[str](),
    "mesh.memory": set[str](),
    "mesh.config": {"mesh.errors"},
    "mesh.rich_status": {"mesh.errors"},
    "mesh.ports": {"mesh.errors"},
    "mesh.traffic": BASE,
    "mesh.io": {"mesh.errors", "mesh.call", "mesh.v1", "mesh.varint", "mesh.inflate"},
    "mesh.definition": BASE | {"mesh.config", "mesh.io"},
    "mesh.link": BASE | {f"mesh.{name}" for name in LINK},
    "mesh.simulate": {
        "mesh.errors",
        "mesh.config",
        "mesh.control.autoscale",
        "mesh.control.loads",
        "mesh.control.scale_rule",
    },
    "mesh.replica": BASE | {f"mesh.{name}" for name in REPLICA},
    "mesh.access": BASE
    | {"mesh.control.records", "mesh.control.store.catalogue", "mesh.traffic.grants"},
    "mesh.control.store": BASE | DECIDING,
    "mesh.releases": BASE
    | {"mesh.config", "mesh.launch"}
    | {f"mesh.control.{name}" for name in RELEASES},
    "mesh.packing": BASE | {"mesh.definition", "mesh.serving.wanted"},
    "mesh.nodes": BASE
    | {"mesh.config", "mesh.control.plan", "mesh.definition", "mesh.launch", "mesh.releases"},
} | {
    part: BASE | DECIDING | {"mesh.launch", "mesh.traffic.snapshot", "mesh.traffic.latency"}
    for part in DECIDING
}
STANDARD_LIBRARY_ONLY = {*BASE, *DECIDING, "mesh.launch", "mesh.traffic"}
# Who may import these.
RESERVED = {
    "ray": {"mesh.cluster"},
    "sqlalchemy": {"mesh.control.store"},
    "alembic": {"mesh.control.store"},
    "grpc": {"mesh.link", "mesh.faces", "mesh.client", "mesh.observe", "gateway.grpc*"},
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {
    module_name(path): ast.parse(path.read_text(), path)
    for top in ("mesh", "gateway")
    for path in sorted(ROOT.glob(f"{top}/**/*.py"))
    if "v1" not in path.parts  # generated
}


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The modules that import statements among `nodes` name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "imports are absolute"
            parts = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (part if part in SOURCES else node.module for part in parts)


def at_load(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is loaded: everything outside functions and type checking."""
    for child in ast.iter_child_nodes(node):
        if is_for_types(child):
            continue
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from at_load(child)


def for_types(node: ast.AST) -> Iterator[ast.AST]:
    """What only type checkers read."""
    for child in ast.walk(node):
        if is_for_types(child):
            yield from ast.walk(child)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def is_in(module: str, parts: Iterable[str]) -> bool:
    """Whether `module` is one of `parts` or inside one; `name*` is any name that begins so."""
    return any(
        module.startswith(part[:-1]) if part.endswith("*") else f"{module}.".startswith(f"{part}.")
        for part in parts
    )


def is_ours(module: str) -> bool:
    return is_in(module, ("mesh", "gateway"))


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    targets = set(imported(ast.walk(SOURCES[module])))
    for part, allowed in DIRECTIONS.items():
        if is_in(module, {part}):
            wrong = {t for t in targets if is_ours(t) and not is_in(t, allowed | {part})}
            assert not wrong, f"{part} may not import these"
    if is_in(module, STANDARD_LIBRARY_ONLY):
        foreign = {t.partition(".")[0] for t in targets if not is_ours(t)}
        assert foreign <= sys.stdlib_module_names
    for package, users in RESERVED.items():
        used = any(is_in(target, {package}) for target in targets)
        assert not used or is_in(module, users), f"{package} is not for this module"
    if is_in(module, {"mesh"}):
        assert not any(is_in(target, {"gateway"}) for target in targets)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_of_our_own_packages_stand_at_the_top(module: str) -> None:
    everywhere = list(imported(ast.walk(SOURCES[module])))
    for target in imported([*at_load(SOURCES[module]), *for_types(SOURCES[module])]):
        everywhere.remove(target)
    assert not [target for target in everywhere if is_ours(target)]


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: set(imported(at_load(source))) for module, source in SOURCES.items()}
    TopologicalSorter(graph).prepare()


def test_importing_mesh_loads_neither_ray_nor_grpc() -> None:
    program = "import sys, mesh; print(*{'ray', 'grpc'} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_gateway_loads_neither_numpy_nor_what_reads_types() -> None:
    unwanted = "{'numpy', 'mesh.io.types', 'starlette'}"
    program = f"import sys, gateway.app; print(*{unwanted} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
