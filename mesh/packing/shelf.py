"""The releases of this machine: `$BENTOML_HOME/bentos/<name>/<version>`, as `bentoml` keeps them.

One store for both commands: `bentoml list` shows what `mesh build` made, and the other way round.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from mesh.errors import AlreadyExists, ConfigError, NotFound
from mesh.packing.tag import Tag

HOME = "BENTOML_HOME"
"""The environment variable that names the folder."""
DESCRIPTION = "bento.yaml"
"""The file of a release that says what it is."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A release on this machine; `size` is in bytes, without its models."""

    tag: Tag
    folder: Path
    service: str
    created_at: datetime
    size: int
    manifest: Mapping[str, Any]


class Shelf:
    """The releases below one folder, which need not be there yet."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "bentos"

    def __repr__(self) -> str:
        return f"<Shelf {self.folder}>"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Shelf":
        """Where the environment says, else in `~/bentoml`."""
        said = environ.get(HOME, "")
        return cls(Path(said) if said else Path.home() / "bentoml")

    def releases(self, name: str = "") -> tuple[Packed, ...]:
        """Those that are there, of one name or of all, the newest first."""
        found = [
            packed
            for file in self.folder.glob(f"{name or '*'}/*/{DESCRIPTION}")
            if not file.parent.name.startswith(".") and (packed := _read(file)) is not None
        ]
        return tuple(sorted(found, key=lambda each: each.created_at, reverse=True))

    def get(self, tag: Tag) -> Packed:
        """One release, without a version the newest. Raises NotFound."""
        if not tag.version:
            found = self.releases(tag.name)
            if not found:
                raise NotFound(f"there is no release {tag.name!r} in {self.folder}")
            return found[0]
        packed = _read(self.folder / tag.name / tag.version / DESCRIPTION)
        if packed is None:
            raise NotFound(f"there is no release {str(tag)!r} in {self.folder}")
        return packed

    @contextmanager
    def adding(self, tag: Tag) -> Iterator[Path]:
        """A folder to fill; it becomes the release when the block ends, or goes if that fails.

        Raises:
            AlreadyExists: there is a release of this tag.
            ConfigError: the store cannot be written to.
        """
        final = self.folder / tag.name / tag.version
        if final.exists():
            raise AlreadyExists(f"there is a release {tag} already, in {final}")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(mkdtemp(prefix=".", dir=final.parent))
        except OSError as error:
            raise ConfigError(f"{final.parent}: {error.strerror}") from error
        try:
            yield fresh
            fresh.chmod(0o755)  # mkdtemp makes it for its owner alone
            _rename(fresh, final, tag)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        # `bentoml` reads here which version is the latest.
        (final.parent / "latest").write_text(tag.version)

    def discard(self, tag: Tag) -> None:
        """Forgets a release, if it is there."""
        with suppress(NotFound):
            self.remove(tag)

    def remove(self, tag: Tag) -> None:
        """Forgets a release. Raises NotFound."""
        packed = self.get(tag)
        shutil.rmtree(packed.folder)
        left = self.releases(tag.name)
        latest = packed.folder.parent / "latest"
        if left:
            latest.write_text(left[0].tag.version)
            return
        latest.unlink(missing_ok=True)
        with suppress(OSError):
            packed.folder.parent.rmdir()


def _rename(fresh: Path, final: Path, tag: Tag) -> None:
    try:
        fresh.rename(final)
    except OSError as error:
        raise AlreadyExists(f"there is a release {tag} already, in {final}") from error


def _read(file: Path) -> Packed | None:
    """The release that a description is of; None for what is none."""
    try:
        manifest = yaml.safe_load(file.read_text())
        made = manifest["creation_time"]
        created_at = made if isinstance(made, datetime) else datetime.fromisoformat(made)
        if created_at.tzinfo is None:
            created_at = created_at.replace(tzinfo=UTC)
        return Packed(
            Tag(file.parent.parent.name, file.parent.name),
            file.parent,
            str(manifest["service"]),
            created_at,
            size_of(file.parent),
            manifest,
        )
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
