"""Which Python packages a release lacks on a node: pure decisions about lines and versions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from mesh.errors import FailedPrecondition

MESH = "serving-mesh"
RAY = "ray"
BENTOML = "bentoml"
FIXED = (MESH, RAY)
"""Packages that a replica has as its node has them, for the mesh runs in it."""
NEVER = "python_version < '0'"
"""A condition that holds nowhere."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of a node. One that `is_made_here` is in no index in this form.

    `requires` are its requirements.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    is_made_here: bool = False


Base = Mapping[str, Installed]
"""What a node has, by canonical name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to find what a release lacks: files of requirements for a resolver, line by line.

    `wanted` must be met within `constraints`; `preferred` are versions to take where they will do.
    `left_out` are not looked at at all. `options` say where packages are. `notes` are sentences
    about what the release gets in another form. Nothing is lacking if `wanted` is empty.
    """

    wanted: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it depends on files of the release, and is of no use for others."""
        return any(_named(line) is None for line in self.wanted) or any(
            not option.startswith(("-i", "--index-url", "--extra-index-url"))
            for option in self.options
        )


def plan(wanted: str, lock: str, base: Base) -> Plan:
    """What a release lacks that wants `wanted` and was made with the versions of `lock`.

    What a node has is taken where it meets what is wanted. Of what is wanted by name the lock says
    the version, unless the mesh itself needs the package. Raises FailedPrecondition for versions of
    the mesh or of Ray that the node does not have.
    """
    lines, options = parsed(wanted)
    pins = _pins(lock)
    needed = _needed_by_mesh(base)
    notes: list[str] = []
    lacking = [line for line in lines if _is_lacking(line, pins, base, needed, notes)]
    named = {_name(each) for each in map(_named, lacking) if each is not None}
    if not lacking:
        return Plan(notes=tuple(notes))
    left_out = {
        name
        for name, each in base.items()
        if (each.is_made_here and name not in named) or name in FIXED
    }
    return Plan(
        tuple(lacking),
        tuple(options) or tuple(parsed(lock)[1]),
        tuple(_constraints(base)),
        tuple(_preferred(pins, base, named)),
        tuple(f"{name} ; {NEVER}" for name in sorted(left_out)),
        tuple(notes),
    )


def missing(resolved: str, base: Base) -> tuple[str, ...]:
    """Of what was resolved, the lines that the node does not have just so."""
    found = []
    for line in parsed(resolved)[0]:
        requirement = _named(line)
        if requirement is not None and requirement.url is None:
            has = base.get(_name(requirement))
            if has is not None and _pin(requirement) == has.version:
                continue
        found.append(line)
    return tuple(found)


def parsed(text: str) -> tuple[list[str], list[str]]:
    """The requirements and the options of a file of requirements, without comments."""
    lines: list[str] = []
    options: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        said = line.strip()
        if not said.startswith("#"):
            said = said.partition(" #")[0].strip()
            if said and not said.startswith("#"):
                is_option = said.startswith("-") and not said.startswith(("-e", "--editable"))
                (options if is_option else lines).append(said)
    return lines, options


def _named(line: str) -> Requirement | None:
    """A requirement by name; None for a file, an address, or what cannot be read."""
    try:
        return Requirement(line.partition(" --")[0])
    except InvalidRequirement:
        return None


def _name(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)


def _applies(requirement: Requirement, extra: str = "") -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
    except UndefinedEnvironmentName:
        return False


def _is_lacking(
    line: str, pins: Mapping[str, str], base: Base, needed: frozenset[str], notes: list[str]
) -> bool:
    requirement = _named(line)
    if requirement is None or requirement.url is not None:
        return requirement is None or _applies(requirement)
    if not _applies(requirement):
        return False
    name = _name(requirement)
    has = base.get(name)
    is_met = _is_met(requirement, base)
    if name in FIXED and has is not None:
        if not _meets(requirement, has):
            raise FailedPrecondition(
                f"the release requires {line}, and the mesh here runs with {name} {has.version}"
            )
        return False
    if name == BENTOML and has is not None and not is_met:
        notes.append(f"it requires {line} and gets {name} {has.version}")
        return False
    if not is_met or has is None:
        return True
    return name in pins and name not in needed and not _is_version(has.version, pins[name])


def _is_met(requirement: Requirement, base: Base, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a node has what is required, with all that its extras require."""
    if requirement.url is not None:
        return False
    has = base.get(_name(requirement))
    if has is None or not _meets(requirement, has):
        return False
    return all(
        _is_met(each, base, seen | {f"{has.name}[{extra}]"})
        for extra in requirement.extras
        if f"{has.name}[{extra}]" not in seen
        for each in _required(has, extra)
    )


def _meets(requirement: Requirement, has: Installed) -> bool:
    return requirement.specifier.contains(has.version, prereleases=True)


def _required(package: Installed, extra: str = "") -> Iterator[Requirement]:
    """What a package requires, or what its extra does besides."""
    for line in package.requires:
        each = _named(line)
        if each is not None and _applies(each, extra) and not (extra and _applies(each)):
            yield each


def _is_version(version: str, pin: str) -> bool:
    try:
        return SpecifierSet(f"=={pin}").contains(version, prereleases=True)
    except InvalidSpecifier:
        return version == pin


def _pins(lock: str) -> dict[str, str]:
    """Versions by canonical name, as far as a lock says them."""
    found = {}
    for line in parsed(lock)[0]:
        requirement = _named(line)
        if requirement is not None and _applies(requirement) and (pin := _pin(requirement)):
            found[_name(requirement)] = pin
    return found


def _pin(requirement: Requirement) -> str:
    specifiers = list(requirement.specifier)
    if len(specifiers) == 1 and specifiers[0].operator in ("==", "==="):
        version = specifiers[0].version
        return "" if version.endswith("*") else version
    return ""


def _needed_by_mesh(base: Base) -> frozenset[str]:
    """What the mesh and Ray require, and what that requires in turn."""
    found: set[str] = set()
    waiting = [name for name in FIXED if name in base]
    while waiting:
        name = waiting.pop()
        if name not in found and name in base:
            found.add(name)
            waiting += [_name(each) for each in _required(base[name])]
    return frozenset(found)


def _constraints(base: Base) -> Iterator[str]:
    """The ranges in which the mesh and Ray work."""
    for name in FIXED:
        if name in base:
            for each in _required(base[name]):
                if each.specifier and each.url is None and _name(each) not in FIXED:
                    yield f"{each.name}{each.specifier}"


def _preferred(pins: Mapping[str, str], base: Base, named: Iterable[str]) -> Iterator[str]:
    """Versions by which little has to be installed: those of the node, then those of the lock."""
    locked = set(named) & pins.keys()
    for name, each in sorted(base.items()):
        if name not in locked and not each.is_made_here:
            yield f"{name}=={each.version}"
    for name, version in sorted(pins.items()):
        if name in locked or name not in base:
            yield f"{name}=={version}"
