"""Makes a release ready to run on this node: its folder, its models, its Python environment."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from secrets import token_bytes
from tempfile import NamedTemporaryFile

from mesh.errors import FailedPrecondition, MeshError, Unavailable
from mesh.launch import NO_SECRETS, Secrets, Source
from mesh.nodes.cache import Lease, NodeCache
from mesh.nodes.environment import Installer, environment_name, installed, python_of
from mesh.nodes.home import make_home, remove_home
from mesh.nodes.requirements import plan
from mesh.nodes.settings import NodeSettings, cache_folder, cache_limit
from mesh.nodes.unpacked import UnpackedRelease
from mesh.releases.archive import unpack

Fetch = Callable[[str, int, int], bytes]
"""Reads a piece of a content by its digest, offset and size; empty at the end. Raises MeshError."""

RELEASES, MODELS, ENVIRONMENTS = "releases", "models", "envs"
"""The folders of the cache."""
PIECE = 4 * 2**20
"""Bytes that are fetched at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A release that can run on a node: names in the cache of that node, and what people may read.

    `models` are by tag; `environment` is empty if it needs none of its own.
    """

    release: str
    models: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    python: str = ""
    warnings: tuple[str, ...] = ()


def open_cache(settings: NodeSettings) -> NodeCache:
    """The cache of this node. Raises ConfigError."""
    return NodeCache(cache_folder(settings), cache_limit(settings))


def prepare(
    source: Source, settings: NodeSettings, fetch: Fetch, build: Secrets = NO_SECRETS
) -> Iterator[str | Prepared]:
    """Makes a release ready; tells what it is at, in a few words, and then what came of it.

    Only the installation of its requirements gets `build`.

    Raises:
        FailedPrecondition: the release cannot run; the message says why in one line.
        Unavailable: something is in the way that may pass.
    """
    cache = open_cache(settings)
    with ExitStack() as leases:
        found = Prepared(_name(source.release))
        if not cache.has(RELEASES, found.release):
            yield "fetching the release"
        make = partial(_unpacked, source.release, fetch, "the release")
        folder = leases.enter_context(cache.lease(RELEASES, found.release, make)).path
        models = {tag: _name(digest) for tag, digest in source.models.items()}
        for tag, digest in source.models.items():
            if not cache.has(MODELS, models[tag]):
                yield f"fetching model {tag}"
            make = partial(_unpacked, digest, fetch, f"model {tag}")
            leases.enter_context(cache.lease(MODELS, models[tag], make))
        found = replace(found, models=models)
        yield from _with_environment(cache, UnpackedRelease(folder), found, settings, build)


def _with_environment(
    cache: NodeCache,
    release: UnpackedRelease,
    found: Prepared,
    settings: NodeSettings,
    build: Secrets,
) -> Iterator[str | Prepared]:
    base = installed()
    wheels = release.wheels
    wanted = "\n".join((release.wanted, *(str(wheel) for wheel in wheels)))
    lacking = plan(wanted, release.lock, base)
    found = replace(found, warnings=(*release.warnings(), *lacking.notes))
    if not lacking.wanted:
        yield found
        return
    given = Secrets(release.build_envs).under(build)
    told_apart = given.fingerprint(_kept_key(cache)) if given != NO_SECRETS else ""
    name = environment_name(lacking, base, found.release, wheels, told_apart)
    if not cache.has(ENVIRONMENTS, name):
        yield "installing requirements"
    log = cache.folder / "logs" / f"{name}.log"
    installer = Installer(lacking, base, release.base, log, settings.install_timeout, build)
    own = {name: each for name, each in release.build_envs.items() if name not in build.envs}
    installer = replace(installer, envs=own)
    make = partial(_installed, installer, cache)
    with cache.lease(ENVIRONMENTS, name, make) as environment:
        yield replace(found, environment=name, python=str(python_of(environment.path)))


def _installed(installer: Installer, cache: NodeCache, path: Path) -> None:
    """Makes an environment. One that gets secrets has a home for their files meanwhile.

    What uv keeps is in that home as well: else others had packages from it for which they have no
    password.
    """
    if installer.build == NO_SECRETS:
        installer.make(path)
        return
    homes = cache.folder / "homes"
    home = make_home(homes, f"install-{path.name}", {}, installer.build.files)
    try:
        ours = {"BENTOML_HOME": str(home.path), "UV_CACHE_DIR": str(home.path / ".uv")}
        replace(installer, envs={**installer.envs, **ours}).make(path)
    finally:
        remove_home(home)


def _kept_key(cache: NodeCache) -> bytes:
    """What only this node has; it is made when it is first needed."""
    path = cache.folder / "key"
    if not path.exists():
        cache.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=cache.folder) as file:  # that only its user can read
            file.write(token_bytes(32))
            file.flush()
            with suppress(FileExistsError):  # another process was first
                path.hardlink_to(file.name)
    return path.read_bytes()


def held(prepared: Prepared, cache: NodeCache) -> tuple[Path, dict[str, Path], list[Lease]]:
    """The folder of a release, those of its models, and leases that keep all of it in the cache.

    Raises Unavailable if something was removed since it was prepared.
    """
    release = cache.lease(RELEASES, prepared.release, _removed)
    models = {tag: cache.lease(MODELS, name, _removed) for tag, name in prepared.models.items()}
    leases = [release, *models.values()]
    if prepared.environment:
        leases.append(cache.lease(ENVIRONMENTS, prepared.environment, _removed))
    return release.path, {tag: lease.path for tag, lease in models.items()}, leases


def _removed(path: Path) -> None:
    raise Unavailable(f"{path.name} is not in the cache of the node any more")


def _name(digest: str) -> str:
    kind, _, name = digest.partition(":")
    if kind != "sha256":
        raise FailedPrecondition(f"not a digest: {digest[:100]!r}")
    return name


def _unpacked(digest: str, fetch: Fetch, what: str, folder: Path) -> None:
    """Makes `folder` from the archive with this digest."""
    archive = folder.with_name(f"{folder.name}.tar")
    try:
        _fetched(digest, fetch, what, archive)
        unpack(archive, folder)
    except OSError as error:
        raise Unavailable(f"{what} cannot be unpacked: {error.strerror or error}") from None
    except MeshError as error:
        kind = Unavailable if isinstance(error, Unavailable) else FailedPrecondition
        raise kind(f"{what} cannot be unpacked: {error.message}") from None
    finally:
        archive.unlink(missing_ok=True)


def _fetched(digest: str, fetch: Fetch, what: str, archive: Path) -> None:
    content = hashlib.sha256()
    with archive.open("wb") as file:
        while piece := fetch(digest, file.tell(), PIECE):
            content.update(piece)
            file.write(piece)
    if f"sha256:{content.hexdigest()}" != digest:
        raise Unavailable(f"what came is not {what} that was asked for")
